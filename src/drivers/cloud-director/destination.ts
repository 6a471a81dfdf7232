import { Fault } from '../../model/fault.ts';
import { hrefOf, locate, readEntity, urnOf } from './entity.ts';
import { type QueryRecord, query } from './query.ts';
import { isStandalone } from './records.ts';
import type { Session } from './session.ts';
import { at, childrenOf, type XmlElement } from './xml.ts';

/** Where an import goes: a catalog (a template is made) or a VDC (a vApp is made). */
export interface Destination {
  kind: 'catalog' | 'vdc';
  id: string;
  href: string;
  name: string;
  element: XmlElement;
}

export async function readDestination(session: Session, id: string, signal: AbortSignal): Promise<Destination> {
  const { kind, element, href } = await readEntity(session, id, ['catalog', 'vdc'], signal);
  return { kind: kind === 'vdc' ? 'vdc' : 'catalog', id, href, name: element.attributes.name ?? '', element };
}

/** Media lie in catalogs. Fault: `object.wrong-kind`. */
export function requireCatalog(session: Session, destination: Destination): Destination {
  if (destination.kind === 'catalog') return destination;
  throw new Fault('object.wrong-kind', `${session.who}: VDC "${destination.name}" takes no image of a disc`, {
    remedy: 'Name a catalog: images of discs lie there, and every VDC of the organization can use them.',
  });
}

/** Names of the items of a catalog, or of the vApps and standalone VMs of a VDC. */
export async function namesIn(session: Session, destination: Destination, signal: AbortSignal): Promise<Set<string>> {
  const { kind, href } = destination;
  if (kind === 'vdc') {
    const vapps = await query(session, 'vApp', signal, { vdc: href });
    const machines = await query(session, 'vm', signal, { vdc: href });
    return new Set([...vapps, ...machines.filter(isStandalone)].map(({ name = '' }) => name));
  }
  const catalog = await session.read(href, `read catalog "${destination.name}"`, signal);
  const items = childrenOf(at(catalog, 'CatalogItems'), 'CatalogItem');
  return new Set(items.map(({ attributes }) => attributes.name ?? ''));
}

/**
 * Catalogs by way of which machines may come to a destination: of the destination's own organization (the provider sees
 * those of all), not followed from elsewhere; first those that are not published to others.
 */
export async function writableCatalogs(
  session: Session,
  destination: Destination,
  signal: AbortSignal,
): Promise<QueryRecord[]> {
  const records = await query(session, 'catalog', signal);
  const organization = await organizationOf(session, destination, records, signal);
  const own = records.filter(
    ({ orgName, publishSubscriptionType }) =>
      publishSubscriptionType !== 'SUBSCRIBED' &&
      (orgName === undefined ? !session.isProvider : orgName.toLowerCase() === organization?.toLowerCase()),
  );
  const published = ({ publishSubscriptionType }: QueryRecord) => Number(publishSubscriptionType === 'PUBLISHED');
  return own.toSorted((one, other) => published(one) - published(other));
}

/** Name of the organization that a destination belongs to. */
async function organizationOf(
  session: Session,
  { kind, id }: Destination,
  catalogs: readonly QueryRecord[],
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!session.isProvider) return session.organization;
  const records = kind === 'catalog' ? catalogs : await query(session, 'orgVdc', signal);
  return records.find(({ href = '' }) => urnOf(kind, href) === id)?.orgName;
}

/** Storage policies of a VDC that can be used. */
export async function policiesOf(
  session: Session,
  destination: Destination,
  signal: AbortSignal,
): Promise<QueryRecord[]> {
  const filter: Record<string, string> = destination.kind === 'vdc' ? { vdc: destination.href } : {};
  const records = await query(session, 'orgVdcStorageProfile', signal, filter);
  return records.filter(({ isEnabled }) => isEnabled !== 'false');
}

/** `vmx-19` …, oldest first; empty where the VDC does not tell. */
export function hardwareVersionsOf(vdc: XmlElement): string[] {
  const all = childrenOf(at(vdc, 'Capabilities', 'SupportedHardwareVersions'), 'SupportedHardwareVersion');
  const number = (version: string) => Number(/\d+/.exec(version)?.[0] ?? 0);
  return all
    .map(({ text, attributes }) => text.trim() || (attributes.name ?? ''))
    .toSorted((a, b) => number(a) - number(b));
}

/** Networks that machines of a VDC can be attached to, by id. */
function networksOf(vdc: XmlElement): Map<string, { name: string; href: string }> {
  const all = childrenOf(at(vdc, 'AvailableNetworks'), 'Network');
  return new Map(
    all.flatMap(({ attributes }) => {
      const id = urnOf('network', attributes.href ?? '');
      return id === undefined ? [] : [[id, { name: attributes.name ?? '', href: attributes.href ?? '' }] as const];
    }),
  );
}

/** The network with this id, for a NIC. Fault `object.missing` names what is not there. */
export async function readNetwork(
  session: Session,
  vdc: XmlElement,
  id: string,
  signal: AbortSignal,
): Promise<{ name: string; href: string }> {
  const available = networksOf(vdc).get(id);
  if (available !== undefined) return available;
  const { kind, href } = locate(session, id);
  if (kind !== 'network')
    throw new Fault('object.wrong-kind', `${session.who}: "${id}" is a ${kind}, needed is a network`);
  const element = await session.read(href, `read network ${id}`, signal);
  return { name: element.attributes.name ?? '', href: hrefOf(session, element) };
}
