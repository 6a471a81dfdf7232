import { parsePlace } from './datastore-files.ts';
import { entityName, type Lab } from './lab.ts';
import { singleton } from './managed.ts';
import { openObject } from './objects.ts';
import type { VmRecord } from './record.ts';
import { type Data, flag, isRef, type Ref, ref, reference, text } from './value.ts';
import { vmxPlace } from './virtual-machine.ts';

function childrenOf(lab: Lab, parent: Ref): Ref[] {
  const object = openObject(lab, parent);
  const lists = [
    'childEntity',
    'vmFolder',
    'hostFolder',
    'datastoreFolder',
    'networkFolder',
    'resourcePool',
    'host',
    'vm',
  ];
  return lists.flatMap((name) => {
    const value = object?.read(name);
    if (isRef(value)) return [value];
    return Array.isArray(value) ? value.filter(isRef) : [];
  });
}

function child(lab: Lab, parent: Ref, name: string): Ref | undefined {
  const wanted = entityName(name);
  return childrenOf(lab, parent).find((one) => openObject(lab, one)?.read('name') === wanted);
}

function byUuid(lab: Lab, args: Data): VmRecord[] {
  const uuid = (text(args, 'uuid') ?? '').toLowerCase();
  const instance = flag(args, 'instanceUuid') ?? false;
  return lab.all('VirtualMachine').filter((vm) => (instance ? vm.instanceUuid : vm.uuid).toLowerCase() === uuid);
}

function vmRef(vm: VmRecord | undefined): Ref | undefined {
  return vm && ref('VirtualMachine', vm.id);
}

export const searchIndex = singleton(
  'SearchIndex',
  'SearchIndex',
  {},
  {
    FindByInventoryPath(call, args) {
      let at: Ref | undefined = ref('Folder', call.lab.root.id);
      for (const part of (text(args, 'inventoryPath') ?? '').split('/').filter(Boolean))
        at = at && child(call.lab, at, part);
      return at;
    },
    FindChild(call, args) {
      const parent = reference(args, 'entity');
      return parent && child(call.lab, parent, text(args, 'name') ?? '');
    },
    FindByUuid: (call, args) => (flag(args, 'vmSearch') ? vmRef(byUuid(call.lab, args)[0]) : undefined),
    FindAllByUuid: (call, args) =>
      flag(args, 'vmSearch') ? byUuid(call.lab, args).map((vm) => ref('VirtualMachine', vm.id)) : [],
    FindByDnsName: (call, args) =>
      flag(args, 'vmSearch')
        ? vmRef(
            call.lab.all('VirtualMachine').find((vm) => vm.name === text(args, 'dnsName') && vm.power === 'poweredOn'),
          )
        : undefined,
    FindByIp: () => undefined,
    FindByDatastorePath(call, args) {
      const place = parsePlace(call.lab, text(args, 'path') ?? '', reference(args, 'datacenter')?.id);
      return vmRef(
        call.lab
          .all('VirtualMachine')
          .find((vm) => vmxPlace(vm).path === place.path && vm.home.datastore === place.datastore),
      );
    },
  },
);
