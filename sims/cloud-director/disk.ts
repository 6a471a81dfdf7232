import { randomUUID } from 'node:crypto';
import { type Call, document, get, post, put, type Reply, type Route, referred, remove, type View } from './call.ts';
import type { Disk, Vm, VmDisk } from './entities.ts';
import { diskIdAt, freeUnit } from './hardware.ts';
import { mediaTypes } from './media-types.ts';
import { defaultProfile, refuseWhenFull } from './quota.ts';
import { link, reference, urn } from './references.ts';
import { badRequest } from './refusal.ts';
import { removeVm } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin, tasksOf } from './task-document.ts';
import { isVm, machine } from './vapp.ts';
import { changeVm } from './vapp-sections.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { attributeOf, child, textOf } from './xml/tree.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

function attachedTo(sim: Simulator, disk: string): Vm[] {
  return sim.store.all('vm').filter((vm) => vm.disks.some((one) => one.independent === disk));
}

function diskMarkup(view: View, disk: Disk): Markup {
  const own = `/api/disk/${disk.id}`;
  const owner = view.sim.store.get('user', disk.owner);
  const profile = view.sim.store.get('storageProfile', disk.storageProfile);
  return el(
    'Disk',
    {
      ...apiDeclarations,
      sizeMb: disk.sizeMb,
      iops: 0,
      busType: disk.busType,
      busSubType: disk.busSubtype,
      status: 1,
      name: disk.name,
      id: urn('disk', disk.id),
      href: view.href(own),
      type: mediaTypes.disk,
    },
    link(view, 'up', `/api/vdc/${disk.vdc}`, mediaTypes.vdc),
    link(view, 'edit', own, mediaTypes.disk),
    link(view, 'remove', own),
    link(view, 'down', `${own}/attachedVms`, mediaTypes.vms),
    link(view, 'down', `${own}/metadata`, mediaTypes.metadata),
    leaf('Description', disk.description),
    tasksOf(view, disk.id),
    profile === undefined ? null : reference(view, 'StorageProfile', 'storageProfile', profile),
    owner === undefined ? null : el('Owner', { type: mediaTypes.owner }, reference(view, 'User', 'user', owner)),
  );
}

async function createDisk(call: Call): Promise<Reply> {
  const vdc = call.entity('vdc');
  const params = child(await call.xml('DiskCreateParams'), 'Disk');
  const sizeMb = Number(attributeOf(params, 'sizeMb') ?? Math.ceil(Number(attributeOf(params, 'size')) / 2 ** 20));
  if (!Number.isSafeInteger(sizeMb) || sizeMb < 1) throw badRequest('The disk needs its size.');
  const profileHref = attributeOf(child(params, 'StorageProfile'), 'href');
  const profile =
    profileHref === undefined ? defaultProfile(call.sim, vdc.id) : referred(call, 'storageProfile', profileHref);
  refuseWhenFull(call.sim, profile, sizeMb);
  const disk: Disk = {
    id: randomUUID(),
    name: attributeOf(params, 'name') ?? '',
    description: textOf(params, 'Description') ?? '',
    org: vdc.org,
    created: new Date().toISOString(),
    metadata: [],
    vdc: vdc.id,
    owner: call.caller.user.id,
    sizeMb,
    busType: attributeOf(params, 'busType') ?? '6',
    busSubtype: attributeOf(params, 'busSubType') ?? 'lsilogic',
    file: null,
    storageProfile: profile.id,
  };
  if (disk.name === '') throw badRequest('The disk needs a name.');
  call.sim.store.atomically(() => {
    call.sim.store.put('disk', disk);
    begin(
      call,
      'vdcCreateDisk',
      `Creating Disk ${disk.name}(${disk.id})`,
      { ...disk, kind: 'disk' },
      { kind: 'nothing', args: null },
    );
  });
  return document(mediaTypes.disk, diskMarkup(call, disk), 201);
}

async function updateDisk(call: Call): Promise<Reply> {
  const disk = call.entity('disk');
  const body = await call.xml('Disk');
  const sizeMb = Number(attributeOf(body, 'sizeMb') ?? disk.sizeMb);
  if (sizeMb < disk.sizeMb) throw badRequest(`The disk "${disk.name}" cannot shrink.`);
  const fields: Partial<Disk> = {
    name: attributeOf(body, 'name') ?? disk.name,
    description: textOf(body, 'Description') ?? disk.description,
    sizeMb,
  };
  return accepted(
    call,
    begin(
      call,
      'vdcUpdateDisk',
      `Updating Disk ${disk.name}(${disk.id})`,
      { ...disk, kind: 'disk' },
      { kind: 'diskChange', args: { id: disk.id, fields } },
    ),
  );
}

function deleteDisk(call: Call): Reply {
  const disk = call.entity('disk');
  if (attachedTo(call.sim, disk.id).length > 0) throw badRequest(`The disk "${disk.name}" is attached to a VM.`);
  return accepted(
    call,
    begin(
      call,
      'vdcDeleteDisk',
      `Deleting Disk ${disk.name}(${disk.id})`,
      { ...disk, kind: 'disk' },
      { kind: 'diskDelete', args: disk.id },
    ),
  );
}

export function defineDiskWork(sim: Simulator): void {
  sim.tasks.define('diskDelete', {
    run:
      async ({ args }) =>
      () =>
        sim.store.remove('disk', String(args)),
  });
  sim.tasks.define('diskChange', {
    run:
      async ({ args }) =>
      () => {
        const { id, fields } = args as { id: string; fields: Partial<Disk> };
        sim.store.change('disk', id, fields);
      },
  });
  sim.tasks.define('vmDelete', {
    run:
      async ({ args }) =>
      () =>
        removeVm(sim, String(args)),
  });
}

async function attach(call: Call): Promise<Reply> {
  const vm = machine(call);
  const disk = referred(call, 'disk', attributeOf(child(await call.xml('DiskAttachOrDetachParams'), 'Disk'), 'href'));
  if (attachedTo(call.sim, disk.id).length > 0) throw badRequest(`The disk "${disk.name}" is attached already.`);
  const unit = freeUnit(vm.disks, 'scsi', 0);
  const added: VmDisk = {
    id: diskIdAt('scsi', 0, unit),
    name: disk.name,
    sizeMb: disk.sizeMb,
    file: disk.file,
    controller: 'scsi',
    subtype: disk.busSubtype,
    bus: 0,
    unit,
    storageProfile: disk.storageProfile,
    independent: disk.id,
  };
  return changeVm(call, vm, 'vappAttachDisk', { disks: [...vm.disks, added] });
}

async function detach(call: Call): Promise<Reply> {
  const vm = machine(call);
  const disk = referred(call, 'disk', attributeOf(child(await call.xml('DiskAttachOrDetachParams'), 'Disk'), 'href'));
  if (!vm.disks.some((one) => one.independent === disk.id))
    throw badRequest(`The disk "${disk.name}" is not attached to "${vm.name}".`);
  return changeVm(call, vm, 'vappDetachDisk', { disks: vm.disks.filter((one) => one.independent !== disk.id) });
}

async function switchMedia(call: Call, insert: boolean): Promise<Reply> {
  const vm = machine(call);
  const media = referred(
    call,
    'media',
    attributeOf(child(await call.xml('MediaInsertOrEjectParams'), 'Media'), 'href'),
  );
  const drive = vm.drives.find(({ type }) => type === 15);
  if (drive === undefined) throw badRequest(`The VM "${vm.name}" has no CD drive.`);
  return changeVm(call, vm, insert ? 'vappInsertMedia' : 'vappEjectMedia', {
    drives: vm.drives.map((one) => (one === drive ? { ...one, media: insert ? media.id : null } : one)),
  });
}

const vmOnly = (handler: (call: Call) => Promise<Reply>) => async (call: Call) => {
  if (!isVm(call)) throw badRequest('This needs a VM, not a vApp.');
  return handler(call);
};

export const diskRoutes: Route[] = [
  post('/api/vdc/:id/disk', createDisk),
  get('/api/disk/:id', (call) => document(mediaTypes.disk, diskMarkup(call, call.entity('disk')))),
  put('/api/disk/:id', updateDisk),
  remove('/api/disk/:id', deleteDisk),
  get('/api/disk/:id/attachedVms', (call) =>
    document(
      mediaTypes.vms,
      el(
        'Vms',
        { ...apiDeclarations, type: mediaTypes.vms },
        attachedTo(call.sim, call.entity('disk').id).map((vm) => reference(call, 'VmReference', 'vm', vm)),
      ),
    ),
  ),
  post('/api/vApp/:id/disk/action/attach', vmOnly(attach)),
  post('/api/vApp/:id/disk/action/detach', vmOnly(detach)),
  post(
    '/api/vApp/:id/media/action/insertMedia',
    vmOnly((call) => switchMedia(call, true)),
  ),
  post(
    '/api/vApp/:id/media/action/ejectMedia',
    vmOnly((call) => switchMedia(call, false)),
  ),
];
