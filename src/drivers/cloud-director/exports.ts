import type { DataBlock } from '../../model/block-map.ts';
import type { Check } from '../../model/check.ts';
import { Fault } from '../../model/fault.ts';
import { disksOf, type PackageDescription } from '../../model/machine.ts';
import type { OvfFile, OvfPackage } from '../../ovf/descriptor/package.ts';
import { readDescriptor } from '../../ovf/descriptor/read.ts';
import { decodeVmdk } from '../../ovf/vmdk/decode.ts';
import type { Exports, OpenExport, WorkContext } from '../driver.ts';
import { describeSource, readPlainDescriptor, systemOf } from './describe.ts';
import { closeArea, type DownloadArea, fileBytes, fileUrl, openArea } from './download.ts';
import { isMediaId } from './entity.ts';
import { machineChecks } from './machine-checks.ts';
import { checkMedia, openMedia, readMedia } from './media-export.ts';
import type { Session } from './session.ts';
import { nameOfObstacle, obstacle, readSource, type Source } from './source.ts';
import { versionOf } from './version.ts';
import { child, childrenOf, textAt } from './xml.ts';

export function exportsFacet(session: Session): Exports {
  return {
    check: (id, signal) => (isMediaId(id) ? checkMedia(session, id, signal) : check(session, id, signal)),
    async describe(id, signal) {
      if (isMediaId(id)) return (await readMedia(session, id, signal)).description;
      const source = await readSource(session, id, signal);
      return describeSource(source, await readPlainDescriptor(session, source, signal));
    },
    open: (id, context) => (isMediaId(id) ? openMedia(session, id, context) : open(session, id, context)),
  };
}

async function check(session: Session, id: string, signal: AbortSignal): Promise<Check[]> {
  const source = await readSource(session, id, signal);
  const fault = obstacle(session, source);
  const checks: Check[] = [
    fault === undefined
      ? { name: 'machine-powered-off', outcome: 'pass', found: `"${source.name}" is powered off and not deployed.` }
      : { name: nameOfObstacle(source, fault), outcome: 'fail', found: `${fault.message}.`, remedy: fault.remedy },
  ];
  const named = namedDisksOf(source);
  if (named.length > 0) {
    checks.push({
      name: 'named-disks',
      outcome: 'fail',
      found: `Named (independent) disks are attached and do not leave with the machine: ${named.join(', ')}.`,
      remedy: 'Detach them first; they can be copied on their own.',
    });
  }
  const snapshots = [source.holder, ...source.machines].some((element) =>
    child(child(element, 'SnapshotSection'), 'Snapshot'),
  );
  if (snapshots) {
    checks.push({
      name: 'snapshots',
      outcome: 'warn',
      found: 'There is a snapshot: the present state leaves, the snapshot stays behind.',
      remedy: 'Nothing to do if the present state is what is wanted.',
    });
  }
  const fenced = childrenOf(child(source.holder, 'NetworkConfigSection'), 'NetworkConfig').filter(
    (network) => textAt(network, 'Configuration', 'FenceMode') === 'natRouted',
  );
  if (fenced.length > 0 && source.kind !== 'vm') {
    checks.push({
      name: 'vapp-networks',
      outcome: 'warn',
      found: `Routing, NAT and firewall of vApp networks do not leave: ${fenced.map(({ attributes }) => attributes.networkName).join(', ')}.`,
      remedy: 'Set them up again at the destination, or map these networks to ones that are routed there.',
    });
  }
  return [...checks, ...(await machineChecks(session, source, signal))];
}

function namedDisksOf(source: Source): string[] {
  return source.machines.flatMap((vm) =>
    childrenOf(child(vm, 'ovf:VirtualHardwareSection'), 'ovf:Item')
      .filter((item) => child(item, 'rasd:HostResource')?.attributes['vcloud:disk'])
      .map((item) => `${textAt(item, 'rasd:ElementName')} of "${vm.attributes.name}"`),
  );
}

async function open(session: Session, id: string, context: WorkContext): Promise<OpenExport> {
  const { signal } = context;
  const source = await readSource(session, id, signal);
  const fault = obstacle(session, source);
  if (fault !== undefined) throw fault;
  const named = namedDisksOf(source);
  if (named.length > 0) {
    throw new Fault(
      'machine.unsupported',
      `${session.who}: "${source.name}" has named disks attached (${named.join(', ')})`,
      {
        remedy: 'Detach the named disks; Cloud Director does not hand them out with the machine.',
      },
    );
  }
  const version = await versionOf(session, source, signal);
  const area = await openArea(session, source, context);
  try {
    const text = await session.readText(area.descriptor, `read the descriptor of "${source.name}"`, signal, '*/*');
    const ovf = readDescriptor(Buffer.from(text));
    const description = describeSource(source, ovf);
    const files = filesOf(session, source, description, ovf);
    return new Download(session, source, area, context, description, version, files);
  } catch (error) {
    await closeArea(session, source, area, context).catch(() => undefined);
    throw error;
  }
}

/** The file of every disk of the description: by controller and unit inside of its machine, else by place. */
function filesOf(
  session: Session,
  source: Source,
  description: PackageDescription,
  ovf: OvfPackage,
): ReadonlyMap<string, OvfFile | null> {
  const files = new Map<string, OvfFile | null>();
  for (const [index, machine] of description.machines.entries()) {
    const vm = source.machines[index];
    const system = vm === undefined ? undefined : systemOf(vm, index, source, ovf);
    for (const [number, disk] of machine.disks.entries()) {
      const same =
        system?.disks.find(({ controller, unit }) => controller === disk.controller && unit === disk.unit) ??
        (system?.disks.length === machine.disks.length ? system.disks[number] : undefined);
      const found = ovf.disks.find((candidate) => candidate.disk === same?.id);
      if (found === undefined) {
        throw new Fault(
          'cloud.protocol',
          `${session.who}: the descriptor of "${source.name}" lacks the disk "${disk.id}"`,
        );
      }
      if (found.file?.compression !== undefined || found.file?.chunkBytes !== undefined) {
        throw new Fault(
          'machine.unsupported',
          `${session.who}: the file of "${disk.id}" is packed in a way Cloud Director does not use`,
        );
      }
      files.set(disk.id, found.file);
    }
  }
  return files;
}

class Download implements OpenExport {
  readonly description: PackageDescription;
  readonly version: string;
  readonly #session: Session;
  readonly #source: Source;
  readonly #area: DownloadArea;
  readonly #context: WorkContext;
  readonly #files: ReadonlyMap<string, OvfFile | null>;
  #closing: Promise<void> | undefined;

  constructor(
    session: Session,
    source: Source,
    area: DownloadArea,
    context: WorkContext,
    description: PackageDescription,
    version: string,
    files: ReadonlyMap<string, OvfFile | null>,
  ) {
    this.#session = session;
    this.#source = source;
    this.#area = area;
    this.#context = context;
    this.description = description;
    this.version = version;
    this.#files = files;
  }

  async *read(disk: string, signal: AbortSignal): AsyncIterable<DataBlock> {
    const file = this.#files.get(disk);
    const label = `${this.#session.who}: disk "${disk}"`;
    if (file === undefined) throw new Fault('object.missing', `${label} is not part of this export`);
    // A disk that was never written has no file.
    if (file === null) return;
    const url = fileUrl(this.#session, this.#area.descriptor, file.href);
    const bytes = fileBytes(this.#session, url, `read disk "${disk}"`, signal);
    const expected = disksOf(this.description).find(({ id }) => id === disk)?.capacityBytes;
    await using vmdk = await decodeVmdk(bytes, {
      signal,
      label,
      ...(expected === undefined ? {} : { expectedCapacityBytes: expected }),
    });
    yield* vmdk.blocks;
  }

  close(_outcome: 'complete' | 'abandoned'): Promise<void> {
    this.#closing ??= closeArea(this.#session, this.#source, this.#area, this.#context).catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }
}
