import { parsePlace } from './datastore-files.ts';
import type { Lab } from './lab.ts';
import { kind, type Method } from './managed.ts';
import { checkName, type EntityRecord, entityMethods, entityReaders, refOf } from './managed-entity.ts';
import type { DatacenterRecord, FolderRecord } from './record.ts';
import { type Data, object, type Ref, ref, reference, references, text, type Value } from './value.ts';
import { invalidArgument, VimFault } from './vim-fault.ts';
import { createVm, hostFor } from './vm-config.ts';
import { readVmx } from './vm-files.ts';
import { powerOnMany } from './vm-power.ts';

/** What a folder shows: its children, and the root vApps that live in it. */
function childRefs(lab: Lab, folder: FolderRecord): Ref[] {
  const apps = lab.all('VirtualApp').filter((app) => app.folder === folder.id);
  return [...lab.children(folder.id), ...apps].map((one) => ref(one.type, one.id));
}

const CHILD_TYPES: Record<FolderRecord['holds'], string[]> = {
  datacenter: ['Folder', 'Datacenter'],
  vm: ['Folder', 'VirtualMachine', 'VirtualApp'],
  host: ['Folder', 'ComputeResource'],
  datastore: ['Folder', 'Datastore', 'StoragePod'],
  network: ['Folder', 'Network', 'DistributedVirtualSwitch'],
};

/** The `vm`, `host`, `datastore` or `network` folder that a datacenter always has cannot go. */
function isFixed(lab: Lab, folder: FolderRecord): boolean {
  return folder.id === 'group-d1' || (folder.parent !== undefined && lab.any(folder.parent)?.type === 'Datacenter');
}

function isAncestor(lab: Lab, above: string, below: string): boolean {
  for (let at = lab.any(below); at; at = lab.any('parent' in at ? at.parent : undefined))
    if (at.id === above) return true;
  return false;
}

async function registerVm(lab: Lab, folder: FolderRecord, args: Data): Promise<Value> {
  const pool = reference(args, 'pool')?.id;
  if (!pool) throw invalidArgument('pool');
  const place = parsePlace(lab, text(args, 'path') ?? '');
  const known = await readVmx(lab, place);
  const name = checkName(lab, folder.id, text(args, 'name') ?? known.name);
  const id = lab.find('VirtualMachine', known.id) ? lab.id('VirtualMachine') : known.id;
  const { snapshot: _snapshot, importing: _importing, ...rest } = known;
  lab.put({
    ...rest,
    id,
    name,
    parent: folder.id,
    pool,
    host: hostFor(lab, pool, reference(args, 'host')?.id),
    template: args.asTemplate === true,
    power: 'poweredOff',
  });
  return ref('VirtualMachine', id);
}

export const folderKind = kind<FolderRecord>(
  'Folder',
  (lab, id) => lab.find('Folder', id),
  {
    ...entityReaders,
    childType: (_lab, folder) => CHILD_TYPES[folder.holds],
    childEntity: childRefs,
    namespace: () => undefined,
  },
  {
    ...(entityMethods as Record<string, Method<FolderRecord>>),
    CreateFolder(call, folder, args) {
      const { lab } = call;
      const name = checkName(lab, folder.id, text(args, 'name') ?? '');
      const letter = { datacenter: 'd', vm: 'v', host: 'h', datastore: 's', network: 'n' }[folder.holds];
      const made = lab.put({
        type: 'Folder',
        id: lab.id('Folder', `group-${letter}`),
        name,
        parent: folder.id,
        holds: folder.holds,
      });
      return ref('Folder', made.id);
    },
    MoveIntoFolder_Task: (call, folder, args) =>
      call.lab.tasks.start(call, ref('Folder', folder.id), folder.name, 'Folder.moveInto', () => {
        const { lab } = call;
        for (const moved of references(args, 'list')) {
          const entity = lab.any(moved.id) as EntityRecord | undefined;
          if (!entity) throw invalidArgument('list');
          if (!CHILD_TYPES[folder.holds].includes(entity.type))
            throw new VimFault('InvalidFolder', 'The folder cannot hold this object.', {
              target: ref('Folder', folder.id),
            });
          if (entity.type === 'Folder' && isAncestor(lab, entity.id, folder.id))
            throw new VimFault('InvalidFolder', 'A folder cannot move into itself.', {
              target: ref('Folder', folder.id),
            });
          checkName(lab, folder.id, entity.name, entity.id);
          lab.put(entity.type === 'VirtualApp' ? { ...entity, folder: folder.id } : { ...entity, parent: folder.id });
        }
        return undefined;
      }),
    Destroy_Task: (call, folder) =>
      call.lab.tasks.start(call, ref('Folder', folder.id), folder.name, 'Folder.destroy', () => {
        const { lab } = call;
        if (isFixed(lab, folder)) throw new VimFault('NotSupported', 'This folder cannot be deleted.');
        if (childRefs(lab, folder).length) throw new VimFault('InvalidState', 'The folder is not empty.');
        lab.remove(folder.id);
        return undefined;
      }),
    CreateVM_Task: (call, folder, args) =>
      call.lab.tasks.start(call, ref('Folder', folder.id), folder.name, 'Folder.createVm', async () => {
        const pool = reference(args, 'pool')?.id ?? '';
        const made = await createVm(call.lab, object(args, 'config') ?? {}, {
          folder: folder.id,
          pool,
          host: reference(args, 'host')?.id,
        });
        return ref('VirtualMachine', made.id);
      }),
    RegisterVM_Task: (call, folder, args) =>
      call.lab.tasks.start(call, ref('Folder', folder.id), folder.name, 'Folder.registerVm', () =>
        registerVm(call.lab, folder, args),
      ),
  },
);

function fixedFolder(lab: Lab, datacenter: DatacenterRecord, holds: FolderRecord['holds']): Ref | undefined {
  return refOf(lab.children(datacenter.id).find((one) => one.type === 'Folder' && one.holds === holds));
}

/** All datastores or networks below a datacenter. */
function below(
  lab: Lab,
  datacenter: DatacenterRecord,
  ...types: ('Datastore' | 'Network' | 'DistributedVirtualPortgroup')[]
): Ref[] {
  return lab
    .all(...types)
    .filter((one) => lab.above('Datacenter', one.id)?.id === datacenter.id)
    .map((one) => ref(one.type, one.id));
}

export const datacenterKind = kind<DatacenterRecord>(
  'Datacenter',
  (lab, id) => lab.find('Datacenter', id),
  {
    ...entityReaders,
    vmFolder: (lab, one) => fixedFolder(lab, one, 'vm'),
    hostFolder: (lab, one) => fixedFolder(lab, one, 'host'),
    datastoreFolder: (lab, one) => fixedFolder(lab, one, 'datastore'),
    networkFolder: (lab, one) => fixedFolder(lab, one, 'network'),
    datastore: (lab, one) => below(lab, one, 'Datastore'),
    network: (lab, one) => below(lab, one, 'Network', 'DistributedVirtualPortgroup'),
    configuration: () => ({ _type: 'DatacenterConfigInfo', defaultHardwareVersionKey: 'vmx-19' }),
  },
  {
    ...(entityMethods as Record<string, Method<DatacenterRecord>>),
    PowerOnMultiVM_Task: (call, one, args) => powerOnMany(call, ref('Datacenter', one.id), one.name, args),
  },
);
