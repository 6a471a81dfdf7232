import { entityName, type Lab } from './lab.ts';
import type { Invocation, Method, Reader } from './managed.ts';
import type { AnyRecord } from './record.ts';
import { type Data, type Ref, ref, text } from './value.ts';
import { invalidArgument, VimFault } from './vim-fault.ts';

export type EntityRecord = Exclude<AnyRecord, { type: 'VirtualMachineSnapshot' }>;

export function refOf(record: { type: string; id: string } | undefined): Ref | undefined {
  return record && ref(record.type, record.id);
}

export type CustomField = { key: number; name: string; type: string };

export function customFields(lab: Lab): CustomField[] {
  return (lab.store.setting('customFields') as CustomField[] | undefined) ?? [];
}

function fieldDefs(lab: Lab, type: string): Data[] {
  return customFields(lab)
    .filter((field) => field.type === '' || field.type === type)
    .map((field) => ({
      key: field.key,
      name: field.name,
      type: 'string',
      ...(field.type ? { managedObjectType: field.type } : {}),
    }));
}

/** Properties of `ManagedEntity` and `ExtensibleManagedObject`. */
export const entityReaders: Record<string, Reader<EntityRecord>> = {
  name: (_lab, one) => one.name,
  parent: (lab, one) => refOf(lab.any(one.parent)),
  overallStatus: () => 'green',
  configStatus: () => 'green',
  configIssue: () => [],
  effectiveRole: () => [-1],
  permission: () => [],
  declaredAlarmState: () => [],
  triggeredAlarmState: () => [],
  disabledMethod: () => [],
  alarmActionsEnabled: () => true,
  tag: () => [],
  recentTask: (lab, one) => lab.tasks.forEntity(one.id),
  availableField: (lab, one) => fieldDefs(lab, one.type),
  value: (_lab, one) => customValues(one),
  customValue: (_lab, one) => customValues(one),
};

function customValues(one: EntityRecord): Data[] {
  return Object.entries(one.customValues ?? {}).map(([key, value]) => ({
    _type: 'CustomFieldStringValue',
    key: Number(key),
    value,
  }));
}

/** Refuses a name that another object in the same place has. */
export function checkName(lab: Lab, place: string | undefined, wanted: string, self?: string): string {
  const name = entityName(wanted);
  if (!name.trim() || name.length > 80 * 4)
    throw new VimFault('InvalidName', `The name '${wanted}' is invalid.`, { name: wanted });
  const twin = siblings(lab, place).find((one) => one.name === name && one.id !== self);
  if (twin)
    throw new VimFault('DuplicateName', `The name '${wanted}' already exists.`, {
      name: wanted,
      object: ref(twin.type, twin.id),
    });
  return name;
}

/** What shares a place's names: a folder's children; machines and pools of a pool; machines of a vApp. */
function siblings(lab: Lab, place: string | undefined): AnyRecord[] {
  if (!place) return [];
  const shown = lab.all('VirtualApp').filter((app) => app.folder === place);
  const inside = lab.find('VirtualApp', place) ? lab.all('VirtualMachine').filter((vm) => vm.pool === place) : [];
  return [...lab.children(place), ...shown, ...inside];
}

const rename: Method<EntityRecord> = (call, one, args) => {
  const wanted = text(args, 'newName') ?? '';
  return call.lab.tasks.start(call, ref(one.type, one.id), one.name, `${one.type}.rename`, () => {
    const fresh = call.lab.any(one.id) as EntityRecord;
    const place = 'folder' in fresh && fresh.folder ? fresh.folder : fresh.parent;
    call.lab.put({ ...fresh, name: checkName(call.lab, place, wanted, one.id) });
    return undefined;
  });
};

const setCustomValue: Method<EntityRecord> = (call, one, args) => {
  const field = customFields(call.lab).find((candidate) => candidate.name === text(args, 'key'));
  if (!field) throw invalidArgument('key');
  storeCustomValue(call, one.id, field.key, text(args, 'value') ?? '');
  return undefined;
};

export function storeCustomValue(call: Invocation, id: string, key: number, value: string): void {
  const entity = call.lab.any(id) as EntityRecord | undefined;
  if (!entity) throw invalidArgument('entity');
  call.lab.put({ ...entity, customValues: { ...entity.customValues, [key]: value } });
}

export const entityMethods: Record<string, Method<EntityRecord>> = { Rename_Task: rename, setCustomValue };
