import type { MachineDescription, OvfProperty, StartOrderEntry } from '../../model/machine.ts';
import { wholeNumber } from './quantity.ts';
import { childOf, childrenOf, textOf, type XmlElement } from './xml-tree.ts';

function isTrue(text: string | undefined): boolean {
  return text === 'true' || text === '1';
}

/** The properties of all ProductSections of one machine or of the package. */
export function readProperties(owner: XmlElement): OvfProperty[] {
  return childrenOf(owner, 'ProductSection').flatMap((section) => {
    const classId = section.attributes.get('class') || undefined;
    const instanceId = section.attributes.get('instance') || undefined;
    return childrenOf(section, 'Property').map((property): OvfProperty => {
      const value = property.attributes.get('value');
      const label = textOf(property, 'Label');
      const description = textOf(property, 'Description');
      return {
        ...(classId ? { classId } : {}),
        ...(instanceId ? { instanceId } : {}),
        key: property.attributes.get('key') ?? '',
        type: property.attributes.get('type') ?? 'string',
        ...(value === undefined ? {} : { value }),
        ...(label ? { label } : {}),
        ...(description ? { description } : {}),
        userConfigurable: isTrue(property.attributes.get('userConfigurable')),
        ...(isTrue(property.attributes.get('password')) ? { password: true } : {}),
      };
    });
  });
}

export function readEulas(owner: XmlElement): string[] {
  return childrenOf(owner, 'EulaSection').flatMap((section) => textOf(section, 'License') ?? []);
}

/** Name, vendor and version of the product, as `product.Name`. */
export function readProduct(owner: XmlElement): Record<string, string> {
  const section = childrenOf(owner, 'ProductSection').find((one) => !one.attributes.get('class'));
  const names = ['Product', 'Vendor', 'Version', 'FullVersion', 'ProductUrl', 'VendorUrl', 'AppUrl'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const text = textOf(section, name);
      return text === undefined ? [] : [[`product.${name}`, text]];
    }),
  );
}

const BOOT_TYPES: Record<string, MachineDescription['bootOrder'][number]> = {
  disk: 'disk',
  net: 'network',
  network: 'network',
  ethernet: 'network',
  cdrom: 'cdrom',
  floppy: 'floppy',
};

/** The vmw:BootOrderSections in order, each class once. */
export function readBootOrder(system: XmlElement): MachineDescription['bootOrder'] {
  const types = childrenOf(system, 'BootOrderSection').flatMap(
    (section) => BOOT_TYPES[section.attributes.get('type')?.toLowerCase() ?? ''] ?? [],
  );
  return [...new Set(types)];
}

export function readStartOrder(collection: XmlElement): StartOrderEntry[] {
  return childrenOf(childOf(collection, 'StartupSection'), 'Item').map((item): StartOrderEntry => {
    const machine = item.attributes.get('id') ?? '';
    const number = (name: string): number =>
      wholeNumber(item.attributes.get(name) ?? '0', 0, 1_000_000_000, `${name} of "${machine}" in its start order`);
    const stop = item.attributes.get('stopAction')?.toLowerCase();
    return {
      machine,
      order: number('order'),
      startAction: item.attributes.get('startAction')?.toLowerCase() === 'none' ? 'none' : 'powerOn',
      startDelaySeconds: number('startDelay'),
      stopAction: stop === 'guestshutdown' ? 'guestShutdown' : stop === 'none' ? 'none' : 'powerOff',
      stopDelaySeconds: number('stopDelay'),
    };
  });
}
