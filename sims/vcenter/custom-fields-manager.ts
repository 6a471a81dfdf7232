import { singleton } from './managed.ts';
import { customFields, storeCustomValue } from './managed-entity.ts';
import { type Data, number, reference, text } from './value.ts';
import { invalidArgument, VimFault } from './vim-fault.ts';

function shown(field: { key: number; name: string; type: string }): Data {
  return { key: field.key, name: field.name, type: 'string', ...(field.type ? { managedObjectType: field.type } : {}) };
}

export const customFieldsManager = singleton(
  'CustomFieldsManager',
  'CustomFieldsManager',
  { field: (lab) => customFields(lab).map(shown) },
  {
    AddCustomFieldDef(call, args) {
      const known = customFields(call.lab);
      const name = text(args, 'name') ?? '';
      const type = text(args, 'moType') ?? '';
      if (known.some((field) => field.name === name && field.type === type)) {
        throw new VimFault('DuplicateName', `The name '${name}' already exists.`, {
          name,
          object: { _ref: 'CustomFieldsManager', id: 'CustomFieldsManager' },
        });
      }
      const field = { key: Math.max(100, ...known.map((one) => one.key)) + 1, name, type };
      call.lab.store.set('customFields', [...known, field]);
      call.lab.changed();
      return shown(field);
    },
    RemoveCustomFieldDef(call, args) {
      const known = customFields(call.lab);
      if (!known.some((field) => field.key === number(args, 'key'))) throw invalidArgument('key');
      call.lab.store.set(
        'customFields',
        known.filter((field) => field.key !== number(args, 'key')),
      );
      call.lab.changed();
      return undefined;
    },
    SetField(call, args) {
      const key = number(args, 'key');
      const field = customFields(call.lab).find((one) => one.key === key);
      if (!field) throw invalidArgument('key');
      storeCustomValue(call, reference(args, 'entity')?.id ?? '', field.key, text(args, 'value') ?? '');
      return undefined;
    },
  },
);
