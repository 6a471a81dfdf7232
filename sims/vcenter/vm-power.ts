import { appendFileSync } from 'node:fs';
import { onDisk } from './datastore-files.ts';
import { connection } from './device.ts';
import type { Lab } from './lab.ts';
import type { Invocation, Method } from './managed.ts';
import type { PowerState, VmRecord } from './record.ts';
import { type Data, object, type Ref, ref, references } from './value.ts';
import { VimFault } from './vim-fault.ts';
import { lockReason } from './vm-lock.ts';

const NAMES: Record<PowerState, string> = {
  poweredOn: 'Powered on',
  poweredOff: 'Powered off',
  suspended: 'Suspended',
};

export function wrongState(vm: Pick<VmRecord, 'power'>, requested: PowerState): VimFault {
  return new VimFault(
    'InvalidPowerState',
    `The attempted operation cannot be performed in the current state (${NAMES[vm.power]}).`,
    {
      requestedState: requested,
      existingState: vm.power,
    },
  );
}

/** Changes the state and with it what is connected. */
export function setPower(lab: Lab, vm: VmRecord, power: PowerState): void {
  const on = power === 'poweredOn';
  const devices = vm.devices.map((device): Data => {
    const connectable = object(device, 'connectable');
    if (!connectable) return device;
    return {
      ...device,
      connectable: connection(
        { startConnected: connectable.startConnected, allowGuestControl: connectable.allowGuestControl },
        on,
      ),
    };
  });
  const { poweredAt: _before, ...rest } = vm;
  lab.put({ ...rest, devices, power, ...(on ? { poweredAt: new Date().toISOString() } : {}) });
}

/** Switches a machine on, with every check the server makes. */
export function powerOn(lab: Lab, id: string): void {
  const vm = lab.get('VirtualMachine', id);
  if (vm.template) throw new VimFault('NotSupported', 'The operation is not supported on a template.');
  const lock = lockReason(lab, vm);
  if (lock) throw lock;
  if (vm.power === 'poweredOn') throw wrongState(vm, 'poweredOn');
  if (lab.faults.refusesPowerOn(vm.name)) {
    throw new VimFault(
      'InsufficientResourcesFault',
      'The host does not have sufficient resources to power on the virtual machine.',
    );
  }
  setPower(lab, vm, 'poweredOn');
  writeLog(lab, vm);
}

/** A host begins a log in the machine's folder with its first run, and only then. */
function writeLog(lab: Lab, vm: VmRecord): void {
  const place = { datastore: vm.home.datastore, path: `${vm.home.folder}/vmware.log` };
  appendFileSync(onDisk(lab, place), `${new Date().toISOString()} powered on\n`);
}

function change(lab: Lab, id: string, from: PowerState[], to: PowerState): void {
  const vm = lab.get('VirtualMachine', id);
  const lock = lockReason(lab, vm);
  if (lock) throw lock;
  if (!from.includes(vm.power)) throw wrongState(vm, to);
  setPower(lab, vm, to);
}

function task(description: string, work: (lab: Lab, id: string) => void): Method<VmRecord> {
  return (call, vm) =>
    call.lab.tasks.start(call, ref('VirtualMachine', vm.id), vm.name, `VirtualMachine.${description}`, () => {
      work(call.lab, vm.id);
      return undefined;
    });
}

function guestAction(call: Invocation, vm: VmRecord, to: PowerState): undefined {
  if (vm.power !== 'poweredOn') throw wrongState(vm, 'poweredOn');
  setTimeout(() => {
    const now = call.lab.find('VirtualMachine', vm.id);
    if (now?.power === 'poweredOn') setPower(call.lab, now, to);
  }, 50).unref();
  return undefined;
}

export const powerMethods: Record<string, Method<VmRecord>> = {
  PowerOnVM_Task: task('powerOn', powerOn),
  PowerOffVM_Task: task('powerOff', (lab, id) => change(lab, id, ['poweredOn', 'suspended'], 'poweredOff')),
  SuspendVM_Task: task('suspend', (lab, id) => change(lab, id, ['poweredOn'], 'suspended')),
  ResetVM_Task: task('reset', (lab, id) => change(lab, id, ['poweredOn'], 'poweredOn')),
  ShutdownGuest: (call, vm) => guestAction(call, vm, 'poweredOff'),
  RebootGuest: (call, vm) => guestAction(call, vm, 'poweredOn'),
  MarkAsTemplate(call, vm) {
    const { lab } = call;
    const lock = lockReason(lab, vm);
    if (lock) throw lock;
    if (vm.power !== 'poweredOff') throw wrongState(vm, 'poweredOff');
    if (vm.template) throw new VimFault('NotSupported', 'The operation is not supported on a template.');
    if (lab.find('VirtualApp', vm.pool))
      throw new VimFault('NotSupported', 'A machine of a vApp cannot become a template.');
    lab.put({ ...vm, template: true });
    return undefined;
  },
  MarkAsVirtualMachine(call, vm, args) {
    if (!vm.template) throw new VimFault('InvalidState', 'The machine is not a template.');
    const { lab } = call;
    const pool = lab.get('ResourcePool', (args.pool as Ref).id);
    lab.put({ ...vm, template: false, pool: pool.id, host: (args.host as Ref | undefined)?.id ?? vm.host });
    return undefined;
  },
};

/** `Datacenter.PowerOnMultiVM_Task`: one task, and one of its own for each machine. */
export function powerOnMany(call: Invocation, datacenter: Ref, name: string, args: Data): Ref {
  const { lab } = call;
  return lab.tasks.start(call, datacenter, name, 'Datacenter.powerOnMultiVM', () => {
    const attempted: Data[] = [];
    const refused: Data[] = [];
    for (const one of references(args, 'vm')) {
      const vm = lab.find('VirtualMachine', one.id);
      if (!vm)
        refused.push({
          vm: one,
          fault: new VimFault('ManagedObjectNotFound', `${one.id} does not exist`, { obj: one }).localized,
        });
      else {
        const started = lab.tasks.start(call, one, vm.name, 'VirtualMachine.powerOn', () => {
          powerOn(lab, vm.id);
          return undefined;
        });
        attempted.push({ vm: one, task: started });
      }
    }
    return { _type: 'ClusterPowerOnVmResult', attempted, notAttempted: refused };
  });
}
