import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cloud } from '../../src/drivers/driver.ts';
import { joinPath } from '../../src/model/path.ts';
import { expectFault, exportRoots, madePackage, newWork, requestFor, runImport, snapshot } from './conformance/work.ts';
import { startVcenterWorld, type VcenterWorld } from './vcenter-world.ts';

const MIB = 1024 * 1024;
const signal = () => AbortSignal.timeout(30_000);
let world: VcenterWorld;
let cloud: Cloud;

beforeAll(async () => {
  world = await startVcenterWorld();
  cloud = await world.driver.connect(world.settings, signal());
});
afterAll(async () => {
  await cloud?.close();
  await world?.close();
});

test('the inventory has the paths that govc shows', async () => {
  const objects = await snapshot(cloud);
  const byId = new Map(objects.map((object) => [object.id, object]));
  const paths = objects.map((object) => {
    const names: string[] = [];
    for (let at: typeof object | undefined = object; at !== undefined; at = byId.get(at.parent ?? ''))
      names.unshift(at.name);
    return `${object.kind} ${joinPath(names)}`;
  });
  for (const path of [
    'datacenter /DC1',
    'folder /DC1/vm',
    'folder /DC1/vm/Sources',
    'vm /DC1/vm/Sources/known vm',
    'template /DC1/vm/Sources/known template',
    'vapp /DC1/vm/Sources/known vapp',
    'vm /DC1/vm/Sources/known vapp/front',
    'cluster /DC1/host/Cluster1',
    'host /DC1/host/Cluster1/esx1.lab',
    'pool /DC1/host/Cluster1/Resources',
    'pool /DC1/host/Cluster1/Resources/Production',
    'datastore /DC1/datastore/datastore1',
    'network /DC1/network/VM Network',
    'network /DC1/network/DPG-Web',
  ]) {
    expect(paths).toContain(path);
  }
});

test('the inventory tells hosts, and custom attributes as tags and owner, as they change', async () => {
  const { hands, vm } = world;
  const stop = new AbortController();
  const events = cloud.inventory.watch(AbortSignal.any([stop.signal, signal()]))[Symbol.asyncIterator]();
  const until = async (tags: string[]) => {
    for (;;) {
      const { value } = await events.next();
      const found = value.objects?.find(({ id }: { id: string }) => id === vm.id);
      if (JSON.stringify(found?.tags) === JSON.stringify(tags)) return found;
    }
  };
  try {
    const first = await events.next();
    expect(first.value.objects.find(({ id }: { id: string }) => id === vm.id)?.machine?.host).toMatch(/^esx[19]\.lab$/);
    await hands.setAttribute('VirtualMachine', vm.id, 'Owner', 'anna & co');
    expect(await until(['Owner=anna & co'])).toMatchObject({ owner: 'anna & co' });
    await hands.setAttribute('VirtualMachine', vm.id, 'Tier', 'front');
    const told = await until(['Owner=anna & co', 'Tier=front']);
    expect(await cloud.inventory.get(vm.id, signal())).toEqual(told);
  } finally {
    stop.abort();
    await events.return?.();
  }
});

test('a machine is described with its hardware as vSphere has it', async () => {
  const { machines, networks, kind } = await cloud.exports!.describe(world.vm.id, signal());
  expect(kind).toBe('vm');
  expect(networks.map((network) => network.name)).toEqual(['VM Network', 'DPG-Web']);
  expect(machines).toHaveLength(1);
  expect(machines[0]).toMatchObject({
    id: 'known-vm',
    name: 'known vm',
    notes: 'with two disks',
    cpus: 2,
    coresPerSocket: 1,
    memoryMib: 1024,
    firmware: 'efi',
    hardwareVersion: 'vmx-19',
    controllers: [
      { id: 'pvscsi-0', kind: 'pvscsi', bus: 0 },
      { id: 'sata-0', kind: 'sata', bus: 0 },
    ],
    disks: [
      { id: 'known-vm/disk-0', capacityBytes: world.vm.disks[0]!.capacityBytes, controller: 'pvscsi-0', unit: 0 },
      { id: 'known-vm/disk-1', capacityBytes: world.vm.disks[1]!.capacityBytes, controller: 'sata-0' },
    ],
    nics: [
      { kind: 'vmxnet3', network: 'VM Network', connected: true },
      { kind: 'e1000e', network: 'DPG-Web', connected: false },
    ],
    extras: { 'extraConfig.guestinfo.role': 'front end' },
  });
});

test('a vApp tells the order in which its machines start', async () => {
  const { machines, startOrder, notes } = await cloud.exports!.describe(world.vapp.id, signal());
  expect(machines.map((machine) => machine.name)).toEqual(['back', 'front']);
  expect(notes).toBe('two tiers');
  expect(startOrder).toMatchObject([
    { machine: 'back', order: 1 },
    { machine: 'front', order: 2, startDelaySeconds: 15 },
  ]);
});

test('a vApp of one machine without settings of its own becomes a plain machine', async () => {
  const made = madePackage('lonely', [MIB]);
  made.description.kind = 'vapp';
  const { object } = await runImport(world, cloud, made);
  expect(object).toMatchObject({ kind: 'vm', name: 'lonely' });
});

test('advanced options, OVF properties and thick disks arrive', async () => {
  const made = madePackage('with options', [MIB]);
  const [machine] = made.description.machines;
  machine!.extras = {
    'extraConfig.guestinfo.role': 'back end',
    cpuHotAddEnabled: 'true',
  };
  machine!.properties = [{ key: 'hostname', type: 'string', value: 'web', label: 'Host name', userConfigurable: true }];
  const placement = { datastore: 'datastore2', 'disk-format': 'thick', 'hardware-version': 'vmx-17' };
  const result = await runImport(world, cloud, made, { placement, properties: { hostname: 'web-7' } });
  const [read] = result.description.machines;
  expect(read).toMatchObject({ extras: machine!.extras, hardwareVersion: 'vmx-17' });
  expect(read!.disks[0]!.format).toBe('thick');
  expect(read!.properties).toMatchObject([{ key: 'hostname', value: 'web-7' }]);
});

test('a snapshot leaves while its machine runs, with the bytes that it froze', async () => {
  const spec = '<name>frozen</name><memory>false</memory><quiesce>false</quiesce>';
  await world.hands.task('CreateSnapshot_Task', 'VirtualMachine', world.vm.id, spec);
  const snapshotId = await world.hands.property('VirtualMachine', world.vm.id, 'snapshot.currentSnapshot');
  await cloud.power!.apply(world.vm.id, 'on', signal());
  await expectFault(exportRoots(cloud, world.vm.id), world, 'machine.running');
  const { description, roots } = await exportRoots(cloud, snapshotId);
  expect(description).toMatchObject({ kind: 'vm', name: 'known vm' });
  expect(roots).toEqual(world.vm.disks.map((disk) => disk.root));
  await cloud.power!.apply(world.vm.id, 'off', signal());
  await expectFault(cloud.exports!.describe('snapshot-999999', signal()), world, 'object.missing');
});

test('a cluster, a pool or a host as destination puts the machine into the folder that is chosen', async () => {
  const objects = await snapshot(cloud);
  for (const [kind, name] of [
    ['cluster', 'Cluster1'],
    ['pool', 'Production'],
    ['host', 'esx9.lab'],
    ['datacenter', 'DC1'],
  ] as const) {
    const destination = objects.find((object) => object.kind === kind && object.name === name)!.id;
    const options = await cloud.imports!.placement(destination, signal());
    const placement: Record<string, string> = kind === 'datacenter' ? {} : { folder: 'vm/Imports' };
    if (kind !== 'datacenter') expect(options.map((option) => option.name)).toContain('folder');
    const made = madePackage(`into ${kind}`, [MIB]);
    const { object } = await runImport(world, cloud, made, { destination, placement });
    const { parent } = await cloud.inventory.get(object.id, signal());
    const folder = objects.find((item) => item.name === (kind === 'datacenter' ? 'vm' : 'Imports'));
    expect(parent).toBe(folder?.id);
  }
});

test('a placement that is not there is named with the choices that are', async () => {
  const made = madePackage('nowhere', [MIB]);
  const work = newWork();
  const placement = { datastore: 'datastore9' };
  const fault = await expectFault(runImport(world, cloud, made, { placement }, work), world, 'input.invalid');
  expect(JSON.stringify(fault.details)).toContain('datastore1');
  expect(work.ledger.rows).toEqual([]);
  const checks = await cloud.imports!.check(requestFor(world, made, { placement }), signal());
  expect(checks).toMatchObject([{ name: 'placement', outcome: 'fail' }]);
  const network = objects(await snapshot(cloud), 'datastore1');
  await expectFault(runImport(world, cloud, made, { destination: network }, newWork()), world, 'object.wrong-kind');
});

function objects(all: Awaited<ReturnType<typeof snapshot>>, name: string): string {
  return all.find((object) => object.name === name)!.id;
}
