import { type Call, noContent, post, type Reply, type Route } from './call.ts';
import { type Hardware, powerOff, powerOn, suspended, type VApp, type Vm } from './entities.ts';
import { badRequest } from './refusal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin } from './task-document.ts';
import { isVm, machine, refuseBusyVapp, refuseBusyVm } from './vapp.ts';
import { vmsOf } from './vapp-template.ts';
import { attributeOf, booleanOf, textOf } from './xml/tree.ts';

/** What an action does to one VM's state; null = the VM stays as it is. */
type Change = Partial<Pick<Vm, 'status' | 'deployed' | 'snapshot'> & Hardware> | null;
type Action = (vm: Vm) => Change;

const on: Action = () => ({ status: powerOn, deployed: true });
const off: Action = (vm) => (vm.status === powerOff ? null : { status: powerOff });
const actions: Readonly<Record<string, Action>> = {
  powerOn: on,
  powerOff: off,
  shutdown: off,
  reboot: () => null,
  reset: () => null,
  suspend: (vm) => (vm.status === powerOn ? { status: suspended } : null),
  discard: (vm) => (vm.status === suspended ? { status: powerOff } : null),
  deploy: () => ({ deployed: true }),
  deployOn: on,
  undeploy: () => ({ status: powerOff, deployed: false }),
  undeploySuspend: (vm) => ({ status: vm.status === powerOn ? suspended : vm.status, deployed: false }),
  createSnapshot: (vm) => ({
    snapshot: { created: new Date().toISOString(), poweredOn: vm.status === powerOn, hardware: hardwareOf(vm) },
  }),
  removeAllSnapshots: () => ({ snapshot: null }),
  revertToCurrentSnapshot: (vm) =>
    vm.snapshot === null ? null : { ...vm.snapshot.hardware, status: vm.snapshot.poweredOn ? powerOn : powerOff },
};

function hardwareOf(vm: Vm): Hardware {
  const {
    osType,
    osId,
    osDescription,
    hardwareVersion,
    firmware,
    cpus,
    coresPerSocket,
    memoryMb,
    disks,
    nics,
    primaryNic,
    configs,
    drives,
  } = vm;
  return structuredClone({
    osType,
    osId,
    osDescription,
    hardwareVersion,
    firmware,
    cpus,
    coresPerSocket,
    memoryMb,
    disks,
    nics,
    primaryNic,
    configs,
    drives,
  });
}

interface PowerArgs {
  action: string;
  vapp: string;
  /** Null = all VMs of the vApp. */
  vm: string | null;
}

export function definePowerWork(sim: Simulator): void {
  sim.tasks.define('power', {
    run:
      async ({ args }) =>
      () => {
        const { action, vapp, vm } = args as PowerArgs;
        for (const one of vmsOf(sim, 'vapp', vapp)) {
          if (vm !== null && one.id !== vm) continue;
          const change = actions[action]?.(one) ?? null;
          if (change !== null) sim.store.change('vm', one.id, change);
        }
        if (vm === null) changeVapp(sim, vapp, action);
        else if (action === 'powerOn' || action === 'deploy' || action === 'deployOn')
          sim.store.change('vapp', vapp, { deployed: true });
        else if (action.startsWith('undeploy') && vmsOf(sim, 'vapp', vapp).every((one) => !one.deployed))
          sim.store.change('vapp', vapp, { deployed: false });
      },
  });
}

function changeVapp(sim: Simulator, id: string, action: string): void {
  const bare = vmsOf(sim, 'vapp', id).length === 0;
  if (action === 'powerOn' || action === 'deployOn')
    sim.store.change('vapp', id, { deployed: true, bareState: bare ? 'on' : 'off' });
  else if (action === 'deploy') sim.store.change('vapp', id, { deployed: true });
  else if (action.startsWith('undeploy')) sim.store.change('vapp', id, { deployed: false, bareState: 'off' });
  else if (action === 'powerOff' || action === 'shutdown') sim.store.change('vapp', id, { bareState: 'off' });
}

const operations: Readonly<Record<string, string>> = {
  powerOn: 'PowerOn',
  powerOff: 'PowerOff',
  shutdown: 'Shutdown',
  reboot: 'Reboot',
  reset: 'Reset',
  suspend: 'Suspend',
  discard: 'DiscardSuspendedState',
  deploy: 'Deploy',
  deployOn: 'Deploy',
  undeploy: 'UndeployPowerOff',
  undeploySuspend: 'UndeploySuspend',
  createSnapshot: 'CreateSnapshot',
  removeAllSnapshots: 'RemoveAllSnapshots',
  revertToCurrentSnapshot: 'RevertToCurrentSnapshot',
};

function start(call: Call, action: string): Reply {
  const operation = operations[action] ?? action;
  if (isVm(call)) {
    const vm = machine(call);
    refuseBusyVm(call.sim, vm);
    refuseState(action, vm.name, vm.deployed, [vm]);
    const args: PowerArgs = { action, vapp: vm.parent.id, vm: vm.id };
    return accepted(
      call,
      begin(
        call,
        `vapp${operation}`,
        `${operation} Virtual Machine ${vm.name}(${vm.id})`,
        { ...vm, kind: 'vm' },
        { kind: 'power', args },
      ),
    );
  }
  const vapp: VApp = call.entity('vapp');
  refuseBusyVapp(call.sim, vapp);
  const vms = vmsOf(call.sim, 'vapp', vapp.id);
  if (vapp.bareState !== 'on') refuseState(action, vapp.name, vapp.deployed, vms);
  const args: PowerArgs = { action, vapp: vapp.id, vm: null };
  return accepted(
    call,
    begin(
      call,
      `vapp${operation}`,
      `${operation} Virtual Application ${vapp.name}(${vapp.id})`,
      { ...vapp, kind: 'vapp' },
      { kind: 'power', args },
    ),
  );
}

/** `powerOn` of what is on succeeds; the other way round the vendor refuses. */
function refuseState(action: string, name: string, deployed: boolean, vms: readonly Vm[]): void {
  const running = vms.some((vm) => vm.status === powerOn);
  const halted = vms.some((vm) => vm.status === suspended);
  if (
    ['powerOff', 'shutdown', 'reboot', 'reset', 'suspend'].includes(action) &&
    !running &&
    !(action === 'powerOff' && halted)
  ) {
    throw badRequest(`The requested operation could not be executed since "${name}" is not running.`);
  }
  if (action.startsWith('undeploy') && !deployed && !running) {
    throw badRequest(`The requested operation could not be executed since "${name}" is not deployed.`);
  }
  if (action === 'discard' && !halted) throw badRequest(`"${name}" is not suspended.`);
  if (action === 'revertToCurrentSnapshot' && !vms.some((vm) => vm.snapshot !== null))
    throw badRequest(`"${name}" has no snapshot.`);
}

async function deploy(call: Call): Promise<Reply> {
  const body = await call.xml('DeployVAppParams');
  return start(call, booleanOf(attributeOf(body, 'powerOn')) === true ? 'deployOn' : 'deploy');
}

async function undeploy(call: Call): Promise<Reply> {
  const body = await call.xml('UndeployVAppParams');
  const power = textOf(body, 'UndeployPowerAction') ?? 'default';
  if (!['powerOff', 'suspend', 'shutdown', 'force', 'default'].includes(power))
    throw badRequest(`The undeploy action "${power}" is unknown.`);
  return start(call, power === 'suspend' ? 'undeploySuspend' : 'undeploy');
}

function maintenance(call: Call, maintenanceMode: boolean): Reply {
  call.sim.store.change('vapp', call.entity('vapp').id, { maintenance: maintenanceMode });
  return noContent;
}

export const powerRoutes: Route[] = [
  ...['powerOn', 'powerOff', 'shutdown', 'reboot', 'reset', 'suspend'].map((action) =>
    post(`/api/vApp/:id/power/action/${action}`, (call) => start(call, action)),
  ),
  post('/api/vApp/:id/action/discardSuspendedState', (call) => start(call, 'discard')),
  post('/api/vApp/:id/action/deploy', deploy),
  post('/api/vApp/:id/action/undeploy', undeploy),
  post('/api/vApp/:id/action/createSnapshot', async (call) => {
    await call.xml('CreateSnapshotParams');
    return start(call, 'createSnapshot');
  }),
  post('/api/vApp/:id/action/removeAllSnapshots', (call) => start(call, 'removeAllSnapshots')),
  post('/api/vApp/:id/action/revertToCurrentSnapshot', (call) => start(call, 'revertToCurrentSnapshot')),
  post('/api/vApp/:id/action/enterMaintenanceMode', (call) => maintenance(call, true)),
  post('/api/vApp/:id/action/exitMaintenanceMode', (call) => maintenance(call, false)),
];
