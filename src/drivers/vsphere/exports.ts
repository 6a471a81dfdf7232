import { Fault } from '../../model/fault.ts';
import type { DiskDescription } from '../../model/machine.ts';
import { decodeVmdk } from '../../ovf/vmdk/decode.ts';
import type { Exports, OpenExport, WorkContext } from '../driver.ts';
import { exportChecks, isRunning, RUNNING_REMEDY } from './export-checks.ts';
import { isVimFault, toFault } from './faults.ts';
import type { VsphereInventory } from './inventory.ts';
import { abortLease, type DeviceUrl, type Lease, openLease } from './lease.ts';
import { matchFiles } from './lease-files.ts';
import { isMediaId, readMedia } from './media.ts';
import { checkMedia, openMedia } from './media-export.ts';
import { readPackage, type SourcePackage } from './package.ts';
import { returned } from './property-collector.ts';
import type { Session } from './session.ts';
import { busy } from './session.ts';

const LEASE_ROLE = 'export lease';

const METHODS: Record<string, string> = { VirtualApp: 'ExportVApp', VirtualMachineSnapshot: 'ExportSnapshot' };

export function vsphereExports(session: Session, inventory: VsphereInventory): Exports {
  return {
    async check(id, signal) {
      if (isMediaId(id)) return checkMedia(session, id, signal);
      return exportChecks(await readPackage(session, inventory, id, signal));
    },
    async describe(id, signal) {
      if (isMediaId(id)) return (await readMedia(session, id, signal)).description;
      return (await readPackage(session, inventory, id, signal)).description;
    },
    async open(id, context) {
      await abortLeftovers(session, context);
      if (isMediaId(id)) return openMedia(session, id, context.signal);
      const source = await readPackage(session, inventory, id, context.signal);
      refuseRunning(session, source);
      refuseUnsupported(session, source);
      const { lease, settle } = await takeLease(session, source, context);
      try {
        const files = matchFiles(source.places, lease, `${session.who}: "${source.description.name}"`);
        return new VsphereExport(session, source, lease, files, settle);
      } catch (error) {
        await lease.abandon();
        await settle();
        throw error;
      }
    },
  };
}

function refuseRunning(session: Session, source: SourcePackage): void {
  const running = source.machines.filter(isRunning);
  if (running.length === 0) return;
  const names = running.map((machine) => `"${machine.name}"`).join(', ');
  const fault = `${session.who}: ${names} ${running.length === 1 ? 'is' : 'are'} powered on or suspended`;
  throw new Fault('machine.running', fault, { remedy: RUNNING_REMEDY });
}

function refuseUnsupported(session: Session, source: SourcePackage): void {
  const failed = exportChecks(source).find((check) => check.outcome === 'fail');
  if (failed === undefined) return;
  const message = `${session.who}: ${failed.found.replace(/\.$/, '')}`;
  throw new Fault('machine.unsupported', message, failed.remedy === undefined ? {} : { remedy: failed.remedy });
}

async function takeLease(session: Session, source: SourcePackage, context: WorkContext) {
  const { ledger, signal } = context;
  const { name } = source.description;
  const what = `exporting "${name}"`;
  const row = await ledger.intend({ action: 'create', kind: 'lease', role: LEASE_ROLE, name });
  try {
    const ref = returned(await session.call(METHODS[source.ref.type] ?? 'ExportVm', source.ref, signal));
    const made = await ledger.settle(row, 'made', ref.id);
    const lease = await openLease(session, ref, what, signal);
    return { lease, settle: async () => void (await ledger.settle(made, 'removed', ref.id)) };
  } catch (error) {
    await ledger.settle(row, 'removed');
    signal.throwIfAborted();
    if (isVimFault(error, 'InvalidPowerState')) {
      throw new Fault('machine.running', `${session.who}: "${name}" is powered on or suspended`, {
        remedy: RUNNING_REMEDY,
        cause: error,
      });
    }
    if (isVimFault(error, 'InvalidState', 'FileLocked')) {
      throw new Fault('object.busy', `${session.who}: ${what}: ${error.message}`, { cause: error });
    }
    throw toFault(error, session.who, what);
  }
}

/** Leases of earlier attempts of the same work keep the machine locked until they time out. */
async function abortLeftovers(session: Session, context: WorkContext): Promise<void> {
  for (const entry of context.ledger.entries) {
    if (entry.kind !== 'lease' || (entry.state !== 'made' && entry.state !== 'intent')) continue;
    if (entry.objectId !== undefined) await abortLease(session, { type: 'HttpNfcLease', id: entry.objectId });
    await context.ledger.settle(entry, entry.objectId === undefined ? 'absent' : 'removed', entry.objectId);
  }
}

class VsphereExport implements OpenExport {
  readonly description;
  readonly version: string;
  readonly #session: Session;
  readonly #lease: Lease;
  readonly #files: ReadonlyMap<string, DeviceUrl>;
  readonly #settle: () => Promise<void>;
  readonly #disks: ReadonlyMap<string, DiskDescription>;
  readonly #totalBytes: number;
  readonly #reached = new Map<string, number>();
  readonly #reading = new Set<string>();
  #closed: Promise<void> | undefined;

  constructor(
    session: Session,
    source: SourcePackage,
    lease: Lease,
    files: ReadonlyMap<string, DeviceUrl>,
    settle: () => Promise<void>,
  ) {
    this.description = source.description;
    this.version = source.version;
    this.#session = session;
    this.#lease = lease;
    this.#files = files;
    this.#settle = settle;
    const disks = source.description.machines.flatMap((machine) => machine.disks);
    this.#disks = new Map(disks.map((disk) => [disk.id, disk]));
    this.#totalBytes = disks.reduce((sum, disk) => sum + disk.capacityBytes, 0);
  }

  async *read(disk: string, signal: AbortSignal) {
    const file = this.#files.get(disk);
    const described = this.#disks.get(disk);
    if (file === undefined || described === undefined) {
      throw new Fault('object.missing', `${this.#session.who}: the export has no disk ${disk}`);
    }
    if (this.#closed !== undefined || this.#reading.has(disk)) {
      const why = this.#closed === undefined ? 'it is being read already' : 'the export is closed';
      throw new Fault('input.invalid', `${this.#session.who}: disk ${disk} cannot be read: ${why}`);
    }
    this.#reading.add(disk);
    try {
      yield* this.#blocks(file, described, AbortSignal.any([signal, this.#lease.lost]));
    } catch (error) {
      signal.throwIfAborted();
      throw await this.#explain(error, disk);
    } finally {
      this.#reading.delete(disk);
    }
  }

  close(outcome: 'complete' | 'abandoned'): Promise<void> {
    this.#closed ??= this.#close(outcome);
    return this.#closed;
  }

  async *#blocks(file: DeviceUrl, disk: DiskDescription, signal: AbortSignal) {
    const label = `${this.#session.who}: ${disk.label} of "${this.description.name}"`;
    const http = this.#lease.http(file);
    const headers = this.#lease.headers(file);
    const response = await http.request({ method: 'GET', url: file.url, headers, signal });
    if (response.status !== 200) {
      response.body.destroy();
      if (response.status === 429 || response.status === 503) throw busy(this.#session.who, response);
      throw new Fault('cloud.failed', `${label}: ${file.url.host} answered HTTP ${response.status}`);
    }
    await using vmdk = await decodeVmdk(http.chunks(response, file.url, signal), {
      signal,
      label,
      expectedCapacityBytes: disk.capacityBytes,
    });
    for await (const block of vmdk.blocks) {
      this.#reached.set(disk.id, block.index * 1024 * 1024);
      const reached = this.#reached.values().reduce((sum, bytes) => sum + bytes, 0);
      this.#lease.percent = (reached / Math.max(1, this.#totalBytes)) * 100;
      yield block;
    }
  }

  /** A connection that the host cut because the lease is over is told as what it is. */
  async #explain(error: unknown, disk: string): Promise<Fault> {
    if (this.#lease.lost.aborted) return this.#lease.lost.reason as Fault;
    try {
      if (!(await this.#lease.survived(AbortSignal.timeout(10_000)))) return this.#lease.lost.reason as Fault;
    } catch {
      // The API does not answer either: the first error says more.
    }
    return toFault(error, this.#session.who, `reading disk ${disk}`);
  }

  async #close(outcome: 'complete' | 'abandoned'): Promise<void> {
    try {
      if (outcome === 'complete') await this.#lease.complete(AbortSignal.timeout(30_000));
      else await this.#lease.abandon();
    } catch (error) {
      this.#session.log.warn(`${this.#session.who}: the lease could not be completed`, { error: String(error) });
      await this.#lease.abandon();
    }
    await this.#settle();
  }
}
