import type { InventoryObject, MachineFacts } from '../../model/inventory.ts';
import { type EntityKind, urnOf } from './entity.ts';
import { powerOfWord, sumOf } from './machine-facts.ts';
import { type QueryRecord, type QueryType, query } from './query.ts';
import type { Session } from './session.ts';

const MIB = 1024 * 1024;

/** What one round of queries told: records by type. */
export type Records = Record<Exclude<QueryType, 'task'>, QueryRecord[]>;

const TYPES: readonly (keyof Records)[] = [
  'orgVdc',
  'catalog',
  'orgVdcNetwork',
  'orgVdcStorageProfile',
  'vApp',
  'vm',
  'vAppTemplate',
  'media',
];

export async function readRecords(session: Session, signal: AbortSignal): Promise<Records> {
  const lists = await Promise.all(TYPES.map((type) => query(session, type, signal)));
  return Object.fromEntries(TYPES.map((type, index) => [type, lists[index] ?? []])) as Records;
}

/**
 * The records as one tree, parents first: VDCs and catalogs at the top; networks, policies, vApps and standalone VMs in
 * VDCs; VMs in vApps; templates and media in catalogs. The hidden vApp around a standalone VM is left out. A machine
 * whose holder is not in the same round (just made, just deleted) waits for the next one.
 */
export function objectsOf(session: Session, records: Records): InventoryObject[] {
  const objects: InventoryObject[] = [
    ...records.orgVdc.flatMap((record) => vdcOf(record, records.orgVdcStorageProfile)),
    ...records.catalog.flatMap((record) => catalogOf(session, record)),
  ];
  const top = new Set(objects.map(({ id }) => id));
  const inTop = (kind: EntityKind, href: string | undefined) => {
    const id = href === undefined ? undefined : urnOf(kind, href);
    return id !== undefined && top.has(id) ? id : null;
  };
  const machines = records.vm.filter(({ isVAppTemplate }) => isVAppTemplate !== 'true');
  const hidden = new Set(
    machines.filter(isStandalone).flatMap(({ container }) => (container ? [urnOf('vapp', container)] : [])),
  );
  const vapps = records.vApp
    .filter(({ href = '', isAutoNature }) => isAutoNature !== 'true' && !hidden.has(urnOf('vapp', href)))
    .flatMap((record) => vappOf(record, inTop('vdc', record.vdc), machines));
  const held = new Set([...top, ...vapps.map(({ id }) => id)]);
  objects.push(
    ...records.orgVdcNetwork.flatMap((record) => networkOf(record, inTop('vdc', record.vdc))),
    ...records.orgVdcStorageProfile.flatMap((record) => policyOf(record, inTop('vdc', record.vdc))),
    ...vapps,
    ...records.vAppTemplate.flatMap((record) => templateOf(record, catalogIdOf(record, records.catalog), inTop)),
    ...records.media.flatMap((record) => mediaOf(record, catalogIdOf(record, records.catalog), inTop)),
    ...machines.flatMap((record) => vmOf(record)).filter(({ parent }) => parent !== null && held.has(parent)),
  );
  return objects;
}

export function isStandalone(record: QueryRecord): boolean {
  return record.isAutoNature === 'true';
}

function number(text: string | undefined): number {
  const value = Number(text ?? 0);
  return Number.isFinite(value) ? value : 0;
}

function object(kind: EntityKind, record: QueryRecord): Pick<InventoryObject, 'id' | 'kind' | 'name' | 'owner'>[] {
  const id = urnOf(kind, record.href ?? '');
  const { name = '', ownerName: owner = '' } = record;
  return id === undefined ? [] : [{ id, kind, name, ...(owner === '' ? {} : { owner }) }];
}

/** Megabytes of a policy; a limit of 0 means that there is none. */
function capacityOf(limitMb: number, usedMb: number): NonNullable<InventoryObject['capacity']> {
  return limitMb === 0 ? {} : { totalBytes: limitMb * MIB, freeBytes: Math.max(0, limitMb - usedMb) * MIB };
}

function vdcOf(record: QueryRecord, policies: readonly QueryRecord[]): InventoryObject[] {
  const own = policies.filter(({ vdc = '' }) => urnOf('vdc', vdc) === urnOf('vdc', record.href ?? ''));
  const limits = own.map(({ storageLimitMB }) => number(storageLimitMB));
  const total = limits.includes(0) ? 0 : limits.reduce((sum, limit) => sum + limit, 0);
  const used = own.reduce((sum, { storageUsedMB }) => sum + number(storageUsedMB), 0);
  return object('vdc', record).map((vdc) => ({
    ...vdc,
    parent: null,
    abilities: ['hold-machines'],
    capacity: capacityOf(total, used),
    ...(record.orgName === undefined ? {} : { facts: { organization: record.orgName } }),
  }));
}

function catalogOf(session: Session, record: QueryRecord): InventoryObject[] {
  const own = session.isProvider || record.orgName === undefined || sameName(record.orgName, session.organization);
  const followed = record.publishSubscriptionType === 'SUBSCRIBED';
  return object('catalog', record).map((catalog) => ({
    ...catalog,
    parent: null,
    abilities: own && !followed ? ['hold-templates', 'hold-media'] : [],
    facts: {
      ...(record.orgName === undefined ? {} : { organization: record.orgName }),
      ...(record.publishSubscriptionType === undefined ? {} : { publication: record.publishSubscriptionType }),
    },
  }));
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

const LINKS: Readonly<Record<string, string>> = { '0': 'direct', '1': 'routed', '2': 'isolated' };

function networkOf(record: QueryRecord, parent: string | null): InventoryObject[] {
  const prefix = record.subnetPrefixLength ?? record.netmask ?? '';
  const fence = LINKS[record.linkType ?? ''];
  return object('network', record).map((network) => ({
    ...network,
    parent,
    abilities: [],
    facts: {
      ...(record.defaultGateway
        ? { cidr: prefix === '' ? record.defaultGateway : `${record.defaultGateway}/${prefix}` }
        : {}),
      ...(fence === undefined ? {} : { fence }),
    },
  }));
}

function policyOf(record: QueryRecord, parent: string | null): InventoryObject[] {
  return object('storage-policy', record).map((policy) => ({
    ...policy,
    parent,
    abilities: [],
    capacity: capacityOf(number(record.storageLimitMB), number(record.storageUsedMB)),
    facts: { default: record.isDefaultStorageProfile ?? 'false', enabled: record.isEnabled ?? 'true' },
  }));
}

function vappOf(record: QueryRecord, parent: string | null, machines: readonly QueryRecord[]): InventoryObject[] {
  return object('vapp', record).map((vapp) => {
    const inside = machines.filter(({ container = '' }) => urnOf('vapp', container) === vapp.id).map(factsOfRecord);
    return {
      ...vapp,
      parent,
      abilities: ['power', 'export'],
      machine: sumOf(inside, powerOfWord(record.status)),
      facts: { deployed: record.isDeployed ?? 'false' },
    };
  });
}

function vmOf(record: QueryRecord): InventoryObject[] {
  const parent = isStandalone(record) ? urnOf('vdc', record.vdc ?? '') : urnOf('vapp', record.container ?? '');
  return object('vm', record).map((vm) => ({
    ...vm,
    parent: parent ?? null,
    abilities: ['power', 'export'],
    machine: factsOfRecord(record),
    facts: {
      deployed: record.isDeployed ?? 'false',
      ...(record.hardwareVersion === undefined ? {} : { hardwareVersion: record.hardwareVersion }),
      ...(record.storageProfileName === undefined ? {} : { storagePolicy: record.storageProfileName }),
    },
  }));
}

/** What a VM's record tells; disks and NICs are only counted in the VM itself. */
function factsOfRecord(record: QueryRecord): MachineFacts {
  return {
    power: powerOfWord(record.status),
    cpus: number(record.numberOfCpus),
    memoryMib: number(record.memoryMB),
    guest: record.guestOs ?? '',
    notes: record.description ?? '',
    diskBytes: number(record.totalStorageAllocatedMb) * MIB,
    disks: 0,
    nics: record.networkName ? [{ network: record.networkName, connected: true }] : [],
    ips: record.ipAddress ? [record.ipAddress] : [],
  };
}

function catalogIdOf(record: QueryRecord, catalogs: readonly QueryRecord[]): string | undefined {
  if (record.catalog) return urnOf('catalog', record.catalog);
  const named = catalogs.filter(({ name }) => record.catalogName !== undefined && name === record.catalogName);
  return named.length === 1 ? urnOf('catalog', named[0]?.href ?? '') : undefined;
}

type InTop = (kind: EntityKind, href: string | undefined) => string | null;

function templateOf(record: QueryRecord, catalog: string | undefined, inTop: InTop): InventoryObject[] {
  const usable = record.status !== 'FAILED_CREATION' && record.status !== 'TRANSFER_TIMEOUT';
  return object('template', record).map((template) => ({
    ...template,
    parent: inTop('catalog', catalog) ?? inTop('vdc', record.vdc),
    abilities: usable ? ['export'] : [],
    machine: { ...sumOf([], 'off'), diskBytes: number(record.storageKB) * 1024, machines: number(record.numberOfVMs) },
    facts: { status: record.status ?? '' },
  }));
}

function mediaOf(record: QueryRecord, catalog: string | undefined, inTop: InTop): InventoryObject[] {
  return object('media', record).map((media) => ({
    ...media,
    parent: inTop('catalog', catalog) ?? inTop('vdc', record.vdc),
    abilities: record.status === undefined || record.status === 'RESOLVED' ? ['export'] : [],
    facts: { bytes: record.storageB ?? '', status: record.status ?? '' },
  }));
}
