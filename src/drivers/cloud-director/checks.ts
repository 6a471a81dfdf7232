import type { Check } from '../../model/check.ts';
import { contentChecks } from '../../model/content-checks.ts';
import { Fault } from '../../model/fault.ts';
import { disksOf, type PackageDescription, partsOf } from '../../model/machine.ts';
import { freeMediaName } from '../../model/media.ts';
import type { ImportRequest } from '../driver.ts';
import {
  type Destination,
  hardwareVersionsOf,
  namesIn,
  readDestination,
  readNetwork,
  requireCatalog,
  writableCatalogs,
} from './destination.ts';
import { roundedCapacity } from './encoded-disk.ts';
import { urnOf } from './entity.ts';
import { adapterOf } from './hardware.ts';
import { hasEulas } from './instantiate.ts';
import { type Placement, readPlacement } from './placement.ts';
import { leaseChecks, quotaChecks } from './quota-checks.ts';
import type { Session } from './session.ts';
import { freeName } from './unfinished.ts';
import { linkOf, mediaType } from './xml.ts';

/** The preflight of an import; touches nothing. */
export async function checkImport(session: Session, request: ImportRequest, signal: AbortSignal): Promise<Check[]> {
  const destination = await readDestination(session, request.destination, signal);
  const media = request.description.kind === 'media';
  if (media) {
    const holder = await tried('destination', async () => requireCatalog(session, destination));
    if ('outcome' in holder) return [holder];
  }
  const checks = [await nameCheck(session, request, destination, signal)];
  const placement = await tried('placement', () => readPlacement(session, destination, request.placement, signal));
  if ('outcome' in placement) return [...checks, placement];
  const upload = mediaType(media ? 'media' : 'uploadVAppTemplateParams');
  checks.push(await catalogCheck(session, destination, placement, upload, signal));
  checks.push(...spaceChecks(request.description, placement, destination));
  if (destination.kind === 'vdc') {
    checks.push(versionCheck(request.description, placement, destination));
    checks.push(await networkCheck(session, request, destination, signal));
    checks.push(...(await quotaChecks(session, request.description, destination, placement, signal)));
    checks.push(...leaseChecks(placement));
  }
  if (!media) checks.push(...deviceChecks(request), ...contentChecks(request));
  return checks;
}

/** A fault of the look-up is the finding of its check, unless the cloud itself could not be asked. */
async function tried<T extends object>(name: string, work: () => Promise<T>): Promise<T | Check> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Fault) || !/^(?:input|object|cloud\.unsupported)/.test(error.code)) throw error;
    return { name, outcome: 'fail', found: `${error.message}.`, remedy: error.remedy };
  }
}

async function nameCheck(
  session: Session,
  request: ImportRequest,
  destination: Destination,
  signal: AbortSignal,
): Promise<Check> {
  const { name } = request;
  if (name === '' || [...name].length > 128) {
    return {
      name: 'name-free',
      outcome: 'fail',
      found: `"${name}" is no name of 1 to 128 characters.`,
      remedy: 'Choose another name.',
    };
  }
  const checked = await tried('name-free', async () => ({
    free: nameFor(session, request, await namesIn(session, destination, signal), `"${destination.name}"`),
  }));
  if ('outcome' in checked) return checked;
  if (checked.free === name)
    return { name: 'name-free', outcome: 'pass', found: `"${name}" is free in "${destination.name}".` };
  return {
    name: 'name-free',
    outcome: 'warn',
    found: `"${name}" is taken in "${destination.name}"; it will be called "${checked.free}".`,
    remedy: 'Choose another name if that is not wanted.',
  };
}

/** The name that it takes there. Fault: `object.exists`. */
export function nameFor(session: Session, request: ImportRequest, taken: ReadonlySet<string>, where: string): string {
  const { name, onNameClash, description } = request;
  return description.kind === 'media'
    ? freeMediaName(taken, name, onNameClash, session.who, where)
    : freeName(session, name, taken, onNameClash, where);
}

async function catalogCheck(
  session: Session,
  destination: Destination,
  placement: Placement,
  upload: string,
  signal: AbortSignal,
): Promise<Check> {
  const writable = await writableCatalogs(session, destination, signal);
  const catalog = writable.find(({ href = '' }) => urnOf('catalog', href) === urnOf('catalog', placement.catalog));
  if (catalog === undefined) {
    return {
      name: 'catalog-writable',
      outcome: 'fail',
      found:
        'The catalog belongs to another organization or follows another catalog, so nothing can be uploaded to it.',
      remedy: 'Choose a catalog of this organization.',
    };
  }
  const element = await session.read(placement.catalog, `read catalog "${catalog.name}"`, signal);
  if (linkOf(element, 'add', upload) === undefined) {
    return {
      name: 'catalog-writable',
      outcome: 'fail',
      found: `This account may not upload to catalog "${catalog.name}".`,
      remedy: 'Choose a catalog that it may write to, or have write access granted.',
    };
  }
  return { name: 'catalog-writable', outcome: 'pass', found: `The upload goes through catalog "${catalog.name}".` };
}

function spaceChecks(description: PackageDescription, { policy }: Placement, { kind }: Destination): Check[] {
  const bytes = partsOf(description).reduce((sum, { lengthBytes }) => sum + roundedCapacity(lengthBytes), 0);
  // Until the temporary template is removed a VDC holds the disks twice.
  const needed = kind === 'vdc' ? bytes * 2 : bytes;
  if (policy === undefined) return [];
  if (policy.freeBytes === undefined) {
    return [{ name: 'space', outcome: 'pass', found: `Storage policy "${policy.name}" has no limit.` }];
  }
  const gib = (value: number) => (value / 2 ** 30).toFixed(2);
  const free = `Storage policy "${policy.name}" has ${gib(policy.freeBytes)} GiB free`;
  if (policy.freeBytes >= needed)
    return [{ name: 'space', outcome: 'pass', found: `${free}, needed are ${gib(needed)} GiB.` }];
  const twice = policy.freeBytes >= bytes;
  return [
    {
      name: 'space',
      outcome: twice ? 'warn' : 'fail',
      found: twice
        ? `${free}: enough for the machine (${gib(bytes)} GiB), maybe not for its temporary template beside it.`
        : `${free}, needed are ${gib(bytes)} GiB.`,
      remedy: 'Choose another storage policy, or have its limit raised.',
    },
  ];
}

function versionCheck(description: PackageDescription, placement: Placement, { element, name }: Destination): Check {
  const supported = hardwareVersionsOf(element);
  const wanted = [
    ...new Set(description.machines.flatMap((machine) => placement.hardwareVersion ?? machine.hardwareVersion ?? [])),
  ];
  const number = (version: string) => Number(/\d+/.exec(version)?.[0] ?? 0);
  const refused = wanted.filter(
    (version) => supported.length > 0 && !supported.some((one) => number(one) === number(version)),
  );
  if (refused.length === 0) {
    return {
      name: 'hardware-version',
      outcome: 'pass',
      found: `VDC "${name}" runs ${wanted.join(', ') || 'its default version'}.`,
    };
  }
  return {
    name: 'hardware-version',
    outcome: 'fail',
    found: `VDC "${name}" does not run ${refused.join(', ')}; it has ${supported.join(', ')}.`,
    remedy: 'Choose one of these with the placement "hardware-version".',
  };
}

async function networkCheck(
  session: Session,
  request: ImportRequest,
  destination: Destination,
  signal: AbortSignal,
): Promise<Check> {
  const used = new Set(
    request.description.machines.flatMap(({ nics }) => nics.flatMap(({ network }) => network ?? [])),
  );
  const found: string[] = [];
  for (const network of used) {
    const id = request.networks[network] ?? null;
    if (id === null) continue;
    const target = await tried('networks', () => readNetwork(session, destination.element, id, signal));
    if ('outcome' in target) return target;
    found.push(`"${network}" to "${target.name}"`);
  }
  const open = [...used].filter((network) => (request.networks[network] ?? null) === null);
  if (open.length === 0)
    return {
      name: 'networks',
      outcome: 'pass',
      found: found.length === 0 ? 'There is no network to map.' : `Mapped: ${found.join(', ')}.`,
    };
  return {
    name: 'networks',
    outcome: 'warn',
    found: `NICs on ${open.map((name) => `"${name}"`).join(', ')} arrive disconnected.`,
    remedy: 'Map these networks to ones of the VDC if they shall be connected.',
  };
}

function deviceChecks({ description, keepUuid, acceptEulas }: ImportRequest): Check[] {
  const checks: Check[] = [];
  const rounded = disksOf(description).filter((disk) => roundedCapacity(disk.capacityBytes) !== disk.capacityBytes);
  checks.push(
    rounded.length === 0
      ? { name: 'disk-sizes', outcome: 'pass', found: 'All disks are whole MiB, as Cloud Director counts them.' }
      : {
          name: 'disk-sizes',
          outcome: 'warn',
          found: `Disks are rounded up to whole MiB: ${rounded.map(({ label }) => label).join(', ')}. Their content is not changed.`,
          remedy: 'Nothing to do.',
        },
  );
  const replaced = description.machines.flatMap(({ name, nics, controllers }) => [
    ...nics
      .filter(({ kind }) => !adapterOf(kind).exact)
      .map(({ label, kind }) => `${label} of "${name}" (${kind} becomes vmxnet3)`),
    ...controllers
      .filter(({ kind }) => kind === 'virtio-scsi')
      .map(() => `a controller of "${name}" (virtio-scsi becomes pvscsi)`),
  ]);
  if (replaced.length > 0) {
    checks.push({
      name: 'devices',
      outcome: 'warn',
      found: `Cloud Director does not have these devices: ${replaced.join(', ')}.`,
      remedy: 'Make sure that the guest has the drivers.',
    });
  }
  if (keepUuid) {
    checks.push({
      name: 'uuid',
      outcome: 'warn',
      found:
        'The BIOS UUID goes along in the descriptor; whether Cloud Director keeps it is a setting of the provider.',
      remedy: 'Compare it afterwards if software depends on it.',
    });
  }
  if (hasEulas(description) && !acceptEulas) {
    checks.push({
      name: 'eulas',
      outcome: 'fail',
      found: 'The package has a license that must be accepted.',
      remedy: 'Read it, then say so with --accept-eulas.',
    });
  }
  return checks;
}
