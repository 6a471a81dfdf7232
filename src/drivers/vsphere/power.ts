import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import type { Power, PowerAction } from '../driver.ts';
import { flagOf, type Ref, refsOf } from './element.ts';
import { isVimFault, toFault } from './faults.ts';
import type { VsphereInventory } from './inventory.ts';
import { decodeName } from './names.ts';
import { readObject, readObjects } from './property-collector.ts';
import type { Session } from './session.ts';
import { leaf } from './soap.ts';
import { runTask } from './tasks.ts';

/** State in which an action has nothing left to do. */
const REACHED: Partial<Record<PowerAction, string>> = {
  on: 'poweredOn',
  resume: 'poweredOn',
  off: 'poweredOff',
  shutdown: 'poweredOff',
  suspend: 'suspended',
};

const MACHINE_TASKS: Record<Exclude<PowerAction, 'shutdown'>, string> = {
  on: 'PowerOnVM_Task',
  resume: 'PowerOnVM_Task',
  off: 'PowerOffVM_Task',
  suspend: 'SuspendVM_Task',
  reset: 'ResetVM_Task',
};

export function vspherePower(session: Session, inventory: VsphereInventory): Power {
  return {
    async apply(id, action, signal) {
      const ref = await inventory.resolve(id, signal);
      const what = (name: string) => `${action} of "${name}"`;
      if (ref.type !== 'VirtualMachine' && ref.type !== 'VirtualApp') {
        throw new Fault('object.wrong-kind', `${session.who}: ${id} is a ${ref.type} and has no power`);
      }
      const props = await readObject(session, ref, ref.type === 'VirtualMachine' ? MACHINE_PATHS : ['name'], signal);
      const name = decodeName(props.get('name')?.text ?? id);
      if (flagOf(props.get('config.template'))) {
        throw new Fault('object.wrong-kind', `${session.who}: "${name}" is a template and has no power`, {
          remedy: 'Make a machine from it first.',
        });
      }
      try {
        if (ref.type === 'VirtualApp') await applyToVapp(session, ref, name, action, signal);
        else await applyToMachine(session, ref, name, action, props.get('runtime.powerState')?.text ?? '', signal);
      } catch (error) {
        signal.throwIfAborted();
        throw toFault(error, session.who, what(name));
      }
    },
  };
}

const MACHINE_PATHS = ['name', 'config.template', 'runtime.powerState'];

async function applyToMachine(
  session: Session,
  ref: Ref,
  name: string,
  action: PowerAction,
  state: string,
  signal: AbortSignal,
): Promise<void> {
  if (state === REACHED[action]) return;
  if (action === 'resume' && state !== 'suspended') throw notFrom(session, name, action, state);
  try {
    if (action !== 'shutdown') {
      await runTask(session, MACHINE_TASKS[action], ref, signal);
      return;
    }
    await session.call('ShutdownGuest', ref, signal);
  } catch (error) {
    if (isVimFault(error, 'InvalidPowerState')) {
      const now = await powerState(session, ref, signal);
      if (now === REACHED[action]) return;
      throw notFrom(session, name, action, now);
    }
    if (!isVimFault(error, 'ToolsUnavailable')) throw error;
    throw new Fault('cloud.unsupported', `${session.who}: the guest of "${name}" cannot be asked to shut down`, {
      cause: error,
      remedy: 'VMware Tools do not run in it. Shut it down from inside, or power it off.',
    });
  }
  for (let wait = 100; (await powerState(session, ref, signal)) !== 'poweredOff'; wait = Math.min(2000, wait * 1.5)) {
    await delay(wait, signal);
  }
}

async function applyToVapp(
  session: Session,
  ref: Ref,
  name: string,
  action: PowerAction,
  signal: AbortSignal,
): Promise<void> {
  const states = await powerStates(session, ref, signal);
  const reached = REACHED[action];
  if (reached !== undefined && states.length > 0 && states.every((state) => state === reached)) return;
  switch (action) {
    case 'on':
    case 'resume':
      await tolerant(runTask(session, 'PowerOnVApp_Task', ref, signal));
      return;
    case 'off':
    case 'shutdown':
      await tolerant(runTask(session, 'PowerOffVApp_Task', ref, signal, leaf('force', action === 'off')));
      return;
    case 'suspend':
      await tolerant(runTask(session, 'SuspendVApp_Task', ref, signal));
      return;
    case 'reset':
      throw new Fault('cloud.unsupported', `${session.who}: the vApp "${name}" cannot be reset as a whole`, {
        remedy: 'Reset its machines one by one.',
      });
  }
}

/** A vApp that is in the wanted state already (or has no machine at all) answers `InvalidPowerState`. */
async function tolerant(task: Promise<unknown>): Promise<void> {
  try {
    await task;
  } catch (error) {
    if (!isVimFault(error, 'InvalidPowerState', 'EmptyVApp')) throw error;
  }
}

async function powerState(session: Session, ref: Ref, signal: AbortSignal): Promise<string> {
  const props = await readObject(session, ref, ['runtime.powerState'], signal);
  return props.get('runtime.powerState')?.text ?? '';
}

async function powerStates(session: Session, vapp: Ref, signal: AbortSignal): Promise<string[]> {
  const props = await readObject(session, vapp, ['vm'], signal);
  const machines = await readObjects(session, refsOf(props.get('vm')), ['runtime.powerState'], signal);
  return machines.map((machine) => machine.props.get('runtime.powerState')?.text ?? '');
}

function notFrom(session: Session, name: string, action: PowerAction, state: string): Fault {
  const words: Record<string, string> = { poweredOn: 'on', poweredOff: 'off', suspended: 'suspended' };
  return new Fault(
    'cloud.unsupported',
    `${session.who}: "${name}" is ${words[state] ?? state}: ${action} is not possible`,
  );
}
