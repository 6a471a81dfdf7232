import { Fault } from '../../model/fault.ts';
import type { ObjectKind } from '../../model/inventory.ts';
import type { Session } from './session.ts';
import { childrenOf, type XmlElement } from './xml.ts';

/** Kinds of inventory objects that Cloud Director has. */
export type EntityKind = Extract<
  ObjectKind,
  'vdc' | 'catalog' | 'vapp' | 'vm' | 'template' | 'media' | 'network' | 'storage-policy'
>;

/** `urn:vcloud:<urn>:<uuid>` is the id, `/api/<path><uuid>` the address. */
const FORMS: Readonly<Record<EntityKind, { urn: string; path: string }>> = {
  vdc: { urn: 'vdc', path: 'vdc/' },
  catalog: { urn: 'catalog', path: 'catalog/' },
  vapp: { urn: 'vapp', path: 'vApp/vapp-' },
  vm: { urn: 'vm', path: 'vApp/vm-' },
  template: { urn: 'vapptemplate', path: 'vAppTemplate/vappTemplate-' },
  media: { urn: 'media', path: 'media/' },
  network: { urn: 'network', path: 'network/' },
  'storage-policy': { urn: 'vdcstorageProfile', path: 'vdcStorageProfile/' },
};

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

/** The last UUID of an address or URN: `https://h/api/vApp/vapp-U/metadata` names the vApp U. */
export function uuidOf(hrefOrUrn: string): string | undefined {
  return hrefOrUrn.match(UUID)?.at(-1)?.toLowerCase();
}

export function urnOf(kind: EntityKind, href: string): string | undefined {
  const uuid = uuidOf(href);
  return uuid === undefined ? undefined : `urn:vcloud:${FORMS[kind].urn}:${uuid}`;
}

export function isMediaId(id: string): boolean {
  return id.startsWith(`urn:vcloud:${FORMS.media.urn}:`);
}

/** Kind and address of an object by its id. Fault `object.missing` for what is no id of this cloud. */
export function locate(session: Session, id: string): { kind: EntityKind; href: string } {
  const [, urn = '', uuid = ''] = /^urn:vcloud:([a-z]+):([0-9a-f-]{36})$/i.exec(id) ?? [];
  for (const [kind, form] of Object.entries(FORMS) as [EntityKind, { urn: string; path: string }][]) {
    if (form.urn.toLowerCase() === urn.toLowerCase()) {
      return { kind, href: `${session.origin}/api/${form.path}${uuid.toLowerCase()}` };
    }
  }
  throw new Fault('object.missing', `${session.who}: "${id}" is no id of this cloud`);
}

/** Reads the object with this id. Faults: `object.missing`, `object.wrong-kind` when it is of none of `kinds`. */
export async function readEntity(
  session: Session,
  id: string,
  kinds: readonly EntityKind[],
  signal: AbortSignal,
): Promise<{ kind: EntityKind; href: string; element: XmlElement }> {
  const { kind, href } = locate(session, id);
  if (!kinds.includes(kind)) {
    throw new Fault('object.wrong-kind', `${session.who}: "${id}" is a ${kind}, needed is ${kinds.join(' or ')}`);
  }
  const element = await session.read(href, `read ${kind} ${id}`, signal);
  return { kind, href, element };
}

/** The whole entity's name, in quotes for sentences. */
export function quoted(element: XmlElement): string {
  return `"${element.attributes.name ?? ''}"`;
}

export function hrefOf(session: Session, element: XmlElement): string {
  const href = element.attributes.href;
  if (href === undefined) throw new Fault('cloud.protocol', `${session.who}: ${element.name} came without its address`);
  return href;
}

/** Numbers of `status` in entities (query records use words). */
export const STATUS = {
  failed: -1,
  unresolved: 0,
  resolved: 1,
  deployed: 2,
  suspended: 3,
  on: 4,
  off: 8,
  mixed: 10,
  transferTimeout: 17,
  partiallyOff: 20,
} as const;

const WORDS: Readonly<Record<number, string>> = {
  [-1]: 'FAILED_CREATION',
  0: 'UNRESOLVED',
  1: 'RESOLVED',
  2: 'DEPLOYED',
  3: 'SUSPENDED',
  4: 'POWERED_ON',
  5: 'WAITING_FOR_INPUT',
  6: 'UNKNOWN',
  7: 'UNRECOGNIZED',
  8: 'POWERED_OFF',
  9: 'INCONSISTENT_STATE',
  10: 'MIXED',
  11: 'DESCRIPTOR_PENDING',
  12: 'COPYING_CONTENTS',
  13: 'DISK_CONTENTS_PENDING',
  14: 'QUARANTINED',
  15: 'QUARANTINE_EXPIRED',
  16: 'REJECTED',
  17: 'TRANSFER_TIMEOUT',
  18: 'VAPP_UNDEPLOYED',
  19: 'VAPP_PARTIALLY_DEPLOYED',
  20: 'PARTIALLY_POWERED_OFF',
  21: 'PARTIALLY_SUSPENDED',
};

/** The status as query records write it. */
export function statusWord(element: XmlElement): string {
  return WORDS[statusOf(element)] ?? 'UNKNOWN';
}

export function statusOf(element: XmlElement): number {
  return Number(element.attributes.status ?? Number.NaN);
}

export function isDeployed(element: XmlElement): boolean {
  return element.attributes.deployed === 'true';
}

/** `Children/Vm` of a vApp or template; a template made of templates is flattened. */
export function machinesOf(element: XmlElement): XmlElement[] {
  return childrenOf(element, 'Children').flatMap((children) => [
    ...childrenOf(children, 'Vm'),
    ...childrenOf(children, 'VApp').flatMap(machinesOf),
  ]);
}
