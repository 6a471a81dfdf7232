import { Fault } from '../../model/fault.ts';
import type { OptionDescription, OptionValues } from '../../model/option.ts';
import { type Destination, hardwareVersionsOf, policiesOf, writableCatalogs } from './destination.ts';
import { urnOf } from './entity.ts';
import type { QueryRecord } from './query.ts';
import type { Session } from './session.ts';

const MIB = 1024 * 1024;

/** Names of the options that each kind of destination has. */
const NAMES = {
  catalog: ['storage-policy'],
  vdc: ['storage-policy', 'catalog', 'runtime-lease', 'storage-lease', 'hardware-version'],
} as const;

/** Values of `placement()` as a trusted type. */
export interface Placement {
  /** Address of the catalog that the upload goes through. */
  catalog: string;
  /** undefined: the default of VDC or catalog. */
  policy: { href: string; name: string; freeBytes: number | undefined } | undefined;
  hardwareVersion: string | undefined;
  /** Seconds; undefined: the organization's default, 0: never. */
  runtimeLeaseSeconds: number | undefined;
  storageLeaseSeconds: number | undefined;
}

export async function placementOptions(
  session: Session,
  destination: Destination,
  signal: AbortSignal,
): Promise<OptionDescription[]> {
  const policies = await policiesOf(session, destination, signal);
  const options: OptionDescription[] = [
    {
      name: 'storage-policy',
      label: 'Storage policy',
      help: 'Where the disks are kept; left out, the default of the VDC or catalog.',
      type: 'choice',
      required: false,
      ...defaultOf(
        policies.find(({ isDefaultStorageProfile }) => isDefaultStorageProfile === 'true'),
        'storage-policy',
      ),
      choices: policies.flatMap((record) => choiceOf('storage-policy', record, freeText(record))),
    },
  ];
  const versions = hardwareVersionsOf(destination.element);
  if (destination.kind === 'catalog') return options;
  const catalogs = await writableCatalogs(session, destination, signal);
  options.push(
    {
      name: 'catalog',
      label: 'Catalog on the way',
      help: 'Cloud Director takes machines by way of a catalog: a temporary template is uploaded there and removed again.',
      type: 'choice',
      required: false,
      ...defaultOf(catalogs[0], 'catalog'),
      choices: catalogs.flatMap((record) => choiceOf('catalog', record, '')),
    },
    lease('runtime-lease', 'Runtime lease', 'Hours after which running machines are stopped'),
    lease('storage-lease', 'Storage lease', 'Hours after which a stopped vApp is put away'),
  );
  if (versions.length > 0) {
    options.push({
      name: 'hardware-version',
      label: 'Hardware version',
      help: 'Left out, the version of the source.',
      type: 'choice',
      required: false,
      choices: versions.map((version) => ({ value: version, label: version })),
    });
  }
  return options;
}

function lease(name: string, label: string, help: string): OptionDescription {
  return {
    name,
    label,
    help: `${help}; 0 is never, left out is the organization's default.`,
    type: 'number',
    required: false,
  };
}

function choiceOf(kind: 'catalog' | 'storage-policy', record: QueryRecord, extra: string) {
  const value = urnOf(kind, record.href ?? '');
  return value === undefined ? [] : [{ value, label: `${record.name ?? ''}${extra}` }];
}

function defaultOf(record: QueryRecord | undefined, kind: 'catalog' | 'storage-policy'): { default?: string } {
  const id = record === undefined ? undefined : urnOf(kind, record.href ?? '');
  return id === undefined ? {} : { default: id };
}

function freeText(record: QueryRecord): string {
  const free = freeBytesOf(record);
  return free === undefined ? '' : ` (${(free / 2 ** 30).toFixed(1)} GiB free)`;
}

/** undefined: no limit. */
function freeBytesOf(record: QueryRecord): number | undefined {
  const limit = Number(record.storageLimitMB ?? 0);
  return limit === 0 ? undefined : Math.max(0, limit - Number(record.storageUsedMB ?? 0)) * MIB;
}

/** Checks the values against what there is now. Faults: `input.invalid` names the option, `object.missing`. */
export async function readPlacement(
  session: Session,
  destination: Destination,
  values: OptionValues,
  signal: AbortSignal,
): Promise<Placement> {
  const names: readonly string[] = NAMES[destination.kind];
  const unknown = Object.keys(values).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Fault(
      'input.invalid',
      `${session.who}: a ${destination.kind} has no placement "${unknown.join('", "')}" (there are ${names.join(', ')})`,
    );
  }
  const policies = await policiesOf(session, destination, signal);
  const chosen = values['storage-policy']
    ? pick(session, 'storage-policy', policies, values['storage-policy'])
    : undefined;
  const standard = policies.find(({ isDefaultStorageProfile }) => isDefaultStorageProfile === 'true');
  const policy = chosen ?? (destination.kind === 'vdc' ? standard : undefined);
  return {
    catalog: await catalogOf(session, destination, values, signal),
    policy:
      policy === undefined
        ? undefined
        : { href: policy.href ?? '', name: policy.name ?? '', freeBytes: freeBytesOf(policy) },
    hardwareVersion: values['hardware-version'] || undefined,
    runtimeLeaseSeconds: hours(session, values, 'runtime-lease'),
    storageLeaseSeconds: hours(session, values, 'storage-lease'),
  };
}

async function catalogOf(
  session: Session,
  destination: Destination,
  values: OptionValues,
  signal: AbortSignal,
): Promise<string> {
  if (destination.kind === 'catalog') return destination.href;
  const catalogs = await writableCatalogs(session, destination, signal);
  const catalog = values.catalog ? pick(session, 'catalog', catalogs, values.catalog) : catalogs[0];
  if (catalog?.href === undefined) {
    throw new Fault('cloud.unsupported', `${session.who}: there is no catalog that this account may upload to`, {
      remedy: 'Make a catalog in the organization: machines reach Cloud Director through one.',
    });
  }
  return `${session.origin}/api/catalog/${urnOf('catalog', catalog.href)?.slice(-36)}`;
}

/** By id or by name. */
function pick(
  session: Session,
  kind: 'catalog' | 'storage-policy',
  records: readonly QueryRecord[],
  value: string,
): QueryRecord {
  const byId = records.find(({ href = '' }) => urnOf(kind, href) === value);
  const byName = records.filter(({ name }) => name === value);
  const found = byId ?? (byName.length === 1 ? byName[0] : undefined);
  if (found !== undefined) return found;
  const names = records.map(({ name }) => `"${name}"`).join(', ') || 'none';
  throw new Fault('input.invalid', `${session.who}: placement "${kind}": there is no "${value}" (there are ${names})`);
}

function hours(session: Session, values: OptionValues, name: string): number | undefined {
  const text = values[name];
  if (!text) return undefined;
  const number = Number(text);
  if (!Number.isFinite(number) || number < 0) {
    throw new Fault('input.invalid', `${session.who}: placement "${name}": "${text}" is no number of hours`);
  }
  return Math.round(number * 3600);
}
