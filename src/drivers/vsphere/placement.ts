import { Fault } from '../../model/fault.ts';
import type { DiskFormat } from '../../model/machine.ts';
import type { OptionDescription, OptionValues } from '../../model/option.ts';
import type { Ref } from './element.ts';
import type { DatastoreChoice, PoolChoice, Site } from './site.ts';

const FORMATS: Record<DiskFormat, string> = { thin: 'thin', thick: 'thick', 'eager-thick': 'eagerZeroedThick' };
const FORMAT_LABELS: Record<DiskFormat, string> = {
  thin: 'Thin: space is taken as it is used',
  thick: 'Thick: space is reserved now',
  'eager-thick': 'Thick, zeroed now',
};
/** Virtual hardware versions from ESXi 5.5 to 8.0 U2. */
const HARDWARE_VERSIONS = [10, 11, 13, 14, 15, 17, 18, 19, 20, 21].map((version) => `vmx-${version}`);

/** For images of discs only. */
export const MEDIA_FOLDER: OptionDescription = {
  name: 'media-folder',
  label: 'Folder for images',
  help: 'Folder of the datastore that an image of a disc (ISO) is put into; it is made where there is none.',
  type: 'text',
  required: false,
  default: 'ISO',
};

/** The folder on the datastore, without slashes around it; empty for the top. Fault: `input.invalid`. */
export function mediaFolderOf(values: OptionValues, who: string): string {
  const names = (values[MEDIA_FOLDER.name] ?? MEDIA_FOLDER.default ?? '').split('/').filter((name) => name !== '');
  const bad = names.find((name) => name === '.' || name === '..' || /[\\\p{Cc}]/u.test(name));
  if (bad === undefined) return names.join('/');
  throw new Fault('input.invalid', `${who}: "${values[MEDIA_FOLDER.name]}" is no folder of a datastore`, {
    remedy: 'Name it with slashes between its parts: ISO/linux.',
  });
}

export interface Placement {
  pool: PoolChoice;
  folder: Ref;
  datastore: DatastoreChoice;
  format: DiskFormat;
  /** OvfCreateImportSpecParamsDiskProvisioningType. */
  provisioning: string;
  /** Undefined: as the package says. */
  hardwareVersion: string | undefined;
}

export function placementOptions(site: Site): OptionDescription[] {
  const options: OptionDescription[] = [];
  if (site.pools.length > 1) {
    options.push({
      name: 'pool',
      label: 'Runs on',
      help: 'Cluster, host or resource pool that the machine belongs to.',
      type: 'choice',
      required: false,
      default: site.pools[0]!.id,
      choices: site.pools.map(({ id, label }) => ({ value: id, label })),
    });
  }
  if (site.folder === undefined) {
    options.push({
      name: 'folder',
      label: 'Folder',
      help: 'Folder of machines and templates that shows it.',
      type: 'choice',
      required: false,
      ...(site.folders[0] === undefined ? {} : { default: site.folders[0].ref.id }),
      choices: site.folders.map(({ ref, label }) => ({ value: ref.id, label })),
    });
  }
  const datastores = reachable(site);
  options.push(
    {
      name: 'datastore',
      label: 'Datastore',
      help: 'Where the disks are kept.',
      type: 'choice',
      required: false,
      ...(datastores[0] === undefined ? {} : { default: datastores[0].ref.id }),
      choices: datastores.map(({ ref, name }) => ({ value: ref.id, label: name })),
    },
    {
      name: 'disk-format',
      label: 'Disk format',
      help: 'How space is taken on the datastore.',
      type: 'choice',
      required: false,
      default: 'thin',
      choices: Object.entries(FORMAT_LABELS).map(([value, label]) => ({ value, label })),
    },
    {
      name: 'hardware-version',
      label: 'Virtual hardware',
      help: 'Version of the virtual hardware; the hosts must know it.',
      type: 'choice',
      required: false,
      default: 'keep',
      choices: [
        { value: 'keep', label: 'As the source has it' },
        ...HARDWARE_VERSIONS.map((value) => ({ value, label: value })),
      ],
    },
    MEDIA_FOLDER,
  );
  return options;
}

/** The values of `placementOptions`, by id or by label. Faults: `input.invalid`, `object.ambiguous`. */
export function placementOf(site: Site, values: OptionValues, who: string): Placement {
  const known = new Set(['pool', 'folder', 'datastore', 'disk-format', 'hardware-version', MEDIA_FOLDER.name]);
  for (const name of Object.keys(values)) {
    if (!known.has(name)) throw new Fault('input.invalid', `${who}: there is no placement "${name}" here`);
  }
  const pool = pick('pool', values.pool, site.pools, (item) => [item.id, item.label], who);
  const folder =
    site.folder ?? pick('folder', values.folder, site.folders, (item) => [item.ref.id, item.label], who).ref;
  const seen = site.seenBy(pool.compute).datastores;
  const datastores = reachable(site).filter((datastore) => seen.size === 0 || seen.has(datastore.ref.id));
  const datastore = pick('datastore', values.datastore, datastores, (item) => [item.ref.id, item.name], who);
  const format = values['disk-format'] || 'thin';
  if (!isFormat(format)) throw new Fault('input.invalid', `${who}: "${format}" is no disk format`);
  const version = values['hardware-version'] || 'keep';
  if (version !== 'keep' && !/^vmx-\d{2}$/.test(version)) {
    throw new Fault('input.invalid', `${who}: "${version}" is no version of virtual hardware`);
  }
  return {
    pool,
    folder,
    datastore,
    format,
    provisioning: FORMATS[format],
    hardwareVersion: version === 'keep' ? undefined : version,
  };
}

function isFormat(value: string): value is DiskFormat {
  return value in FORMATS;
}

/** Datastores that one of the site's pools sees, most free space first. */
function reachable(site: Site): DatastoreChoice[] {
  const seen = new Set(site.pools.flatMap((pool) => [...site.seenBy(pool.compute).datastores]));
  return site.datastores
    .filter((datastore) => datastore.usable && (seen.size === 0 || seen.has(datastore.ref.id)))
    .sort((one, other) => other.freeBytes - one.freeBytes);
}

function pick<T>(
  option: string,
  value: string | undefined,
  choices: readonly T[],
  words: (choice: T) => readonly [id: string, label: string],
  who: string,
): T {
  const [first] = choices;
  if (first === undefined) {
    throw new Fault('input.invalid', `${who}: there is no ${option} that can be used here`, {
      remedy: 'Choose another destination, or check that its hosts are connected.',
    });
  }
  if (value === undefined || value === '') return first;
  const byId = choices.find((choice) => words(choice)[0] === value);
  if (byId !== undefined) return byId;
  const byName = choices.filter((choice) => words(choice)[1] === value);
  if (byName.length === 1) return byName[0]!;
  const ids = (byName.length > 1 ? byName : choices).map((choice) => `${words(choice)[0]} (${words(choice)[1]})`);
  if (byName.length > 1) {
    throw new Fault('object.ambiguous', `${who}: ${option} "${value}" fits ${byName.length} objects`, {
      details: { ids },
    });
  }
  throw new Fault('input.invalid', `${who}: there is no ${option} "${value}" for this destination`, {
    details: { choices: ids },
  });
}
