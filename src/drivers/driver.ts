/**
 * The contract between Cloudspan and one kind of cloud. It is the law: what is promised here is tested for every driver
 * by `test/drivers/conformance.ts`.
 *
 * General promises
 * - A capability is the presence of a facet. A method that cannot do its work throws a Fault; it never does nothing.
 * - Every failure is a `Fault` whose sentence begins with the driver and the cloud's label: `vsphere vc1: …`. A refused
 *   login is `auth.refused` and is never tried again by the driver. 429 and 503 become `cloud.busy` with
 *   `retryAfterSeconds`; drivers do not wait and retry by themselves (wrappers in `src/node/` do), save for an expired
 *   session, which they renew once, silently, from the credentials they hold in memory.
 * - Every method takes an AbortSignal. After an abort no further call is made save those that clean up.
 * - Nothing is timed by the wall clock but silence: a call without any byte for `stallSeconds` ends in `cloud.unreachable`.
 * - Media (images of discs, kind `media`) are packages without machines and with exactly one file. What is said of disks
 *   here is true of files as well: they are named by their id, `capacityBytes` of a feed is the exact length, and the
 *   last block ends with the file. Where a place has no room for a marker beside the bytes (a file system), what was
 *   made is known by the place, the length and the time of the finished file; the row of the ledger keeps them in `before`.
 * - Names in and out are as people see them (Unicode, spaces, slashes); the vendor's escaping stays inside.
 * - Secrets are never part of a Fault, a log line or an inventory object.
 */

import type { DataBlock } from '../model/block-map.ts';
import type { Check } from '../model/check.ts';
import type { Examination } from '../model/cloud-check.ts';
import type { InventoryEvent, InventoryObject } from '../model/inventory.ts';
import type { LedgerEntry } from '../model/ledger.ts';
import type { PackageDescription } from '../model/machine.ts';
import type { OptionDescription, OptionValues, Trust } from '../model/option.ts';
import type { Way } from '../model/proxy.ts';
import type { MarkedObject, SeenObject } from '../model/seen-object.ts';
import type { SettingName, SourceSettings } from '../model/setting.ts';

/** Lines for the job's log; `fields` never hold secrets. */
export interface DriverLog {
  info(text: string, fields?: Record<string, unknown>): void;
  warn(text: string, fields?: Record<string, unknown>): void;
}

export interface Driver {
  /** The folder's name: `vsphere`. */
  readonly name: string;
  /** For people: `VMware vSphere`. */
  readonly title: string;
  /** What `connect` needs; secrets have type `secret`. */
  readonly options: readonly OptionDescription[];
  /** Where `connect` will dial by TLS, so that its certificate can be shown and confirmed; null when there is none. */
  endpoint(options: OptionValues): { host: string; port: number } | null;
  /**
   * Signs in. Faults: `cloud.unreachable`, `cloud.untrusted`, `auth.refused`, `input.invalid`, `cloud.unsupported`.
   * Of a refused login `details.reason` says why, as far as the cloud lets it be known: `organization` (there is none of
   * this name), `credentials`, `federated-user` (the account has no password of its own here), `account-type` (the name
   * looks like one of a directory), `password-expired`, `api-token`, `api-token-expired`, `no-rights`.
   */
  connect(settings: ConnectSettings, signal: AbortSignal): Promise<Cloud>;
}

export interface ConnectSettings {
  options: OptionValues;
  trust: Trust;
  /** The name that people gave this cloud, for sentences. */
  label: string;
  log: DriverLog;
  /** Seconds of silence after which a call is given up. */
  stallSeconds: number;
  /** Which proxy leads to an address of the cloud; straight when absent. Drivers that dial by TCP go that way. */
  way?: Way;
}

export interface CloudAbout {
  vendor: string;
  product: string;
  version: string;
  apiVersion: string;
  /** Identity of the installation, so that adding it twice is noticed. */
  instance: string;
  user: string;
  /** The cloud's clock, ISO 8601, where it tells. */
  time?: string;
}

/** One signed-in session. Safe for concurrent calls. */
export interface Cloud {
  about(signal: AbortSignal): Promise<CloudAbout>;
  /**
   * What the release of this cloud and the rights of this account make of each capability, and the checks `version` and
   * `privileges` over them. Reads only; what cannot be found out counts as working and is said. Never throws for what
   * the account may not read.
   */
  examine(signal: AbortSignal): Promise<Examination>;
  readonly inventory: Inventory;
  readonly power?: Power;
  readonly exports?: Exports;
  readonly imports?: Imports;
  readonly objects?: Objects;
  readonly sources?: Sources;
  /** Signs out and frees sockets. Idempotent; never throws. */
  close(): Promise<void>;
}

export interface Inventory {
  /**
   * The first event is a snapshot; then changes as they come, until abort. Clouds that push do so within 2 s, clouds
   * that are asked within 10 s. Parents come before children inside one event.
   */
  watch(signal: AbortSignal): AsyncIterable<InventoryEvent>;
  /**
   * One object, read fresh. Faults: `object.missing`. It may know objects that `watch` does not tell of, because listing
   * them would burden the cloud (files on datastores).
   */
  get(id: string, signal: AbortSignal): Promise<InventoryObject>;
}

export type PowerAction = 'on' | 'off' | 'shutdown' | 'suspend' | 'resume' | 'reset';

export interface Power {
  /**
   * Resolves when the cloud's task is done. Idempotent: an action whose state is reached already succeeds.
   * Faults: `object.missing`, `object.wrong-kind` (template), `object.busy`, `cloud.unsupported`.
   */
  apply(id: string, action: PowerAction, signal: AbortSignal): Promise<void>;
}

/** What a driver needs to know about the job it works for. */
export interface WorkContext {
  signal: AbortSignal;
  log: DriverLog;
  /**
   * Unguessable, of this job: every object that is made carries it. While unfinished a machine's name is
   * `<name> [cloudspan <marker>]`.
   */
  marker: string;
  ledger: LedgerBook;
}

export interface LedgerBook {
  /** Rows of this work from earlier attempts (after a crash), oldest first. */
  readonly entries: readonly LedgerEntry[];
  /** Durable when it resolves: await it before the call that makes or changes something. Same role = same row. */
  intend(
    what: Pick<LedgerEntry, 'action' | 'kind' | 'role' | 'name'> & { before?: string; after?: string },
  ): Promise<LedgerEntry>;
  /** Durable when it resolves. Await it right after the call. */
  settle(entry: LedgerEntry, state: LedgerEntry['state'], objectId?: string): Promise<LedgerEntry>;
}

export interface Exports {
  /**
   * Checks whether the object can leave, without touching it: powered off (a running one is `fail` with the choices
   * named in the remedy), parts that cannot be carried, what will be lost.
   */
  check(id: string, signal: AbortSignal): Promise<Check[]>;
  /** What would leave. Reads only. Works for running machines too. */
  describe(id: string, signal: AbortSignal): Promise<PackageDescription>;
  /**
   * Opens a frozen version. Never powers off, snapshots or unmounts anything of the source.
   * Faults: `machine.running`, `machine.unsupported`, `object.missing`, `object.busy`.
   * What it makes in the cloud (a lease, a download area) is in the ledger; leftovers of earlier attempts of the same
   * work are given back first.
   */
  open(id: string, context: WorkContext): Promise<OpenExport>;
}

export interface OpenExport {
  readonly description: PackageDescription;
  /** The vendor's change identity of what is read; equal = the same bytes. */
  readonly version: string;
  /**
   * The blocks of one disk or file that hold data, ascending; what is not yielded is zero. Each disk is read at most once at a
   * time; several disks may be read at the same time. Slow consumers are waited for; the export stays alive meanwhile.
   * Faults: `vmdk.truncated`, `vmdk.invalid`, `lease.expired`, `cloud.unreachable`; `disk.changed` for a file that has
   * other bytes than at the beginning.
   */
  read(disk: string, signal: AbortSignal): AsyncIterable<DataBlock>;
  /** Gives back lease, download area, session. Idempotent; safe after an error. */
  close(outcome: 'complete' | 'abandoned'): Promise<void>;
}

/** The disk or file on its way in, as the node hands it to the driver. */
export interface DiskFeed {
  readonly disk: string;
  /** Of a file: its exact length. */
  readonly capacityBytes: number;
  /**
   * Data blocks in ascending order from `from`; waits for those that have not arrived yet and ends when the disk is
   * complete. May be called again, also after an error: what arrived is kept until the import is over.
   */
  blocks(from: number, signal: AbortSignal): AsyncIterable<DataBlock>;
}

export interface ImportRequest {
  description: PackageDescription;
  /** The name it shall have. */
  name: string;
  /** Id of the object that shall hold it: a folder, pool, VDC, catalog or datastore (one with the ability to). */
  destination: string;
  /** Values for `placement()`. */
  placement: OptionValues;
  /** By network name of the package: id of the network here, or null for a NIC that arrives disconnected. Missing = null. */
  networks: Record<string, string | null>;
  keepMac: boolean;
  keepUuid: boolean;
  /** What to do when the name is taken: fail, or take `<name> (2)` and so on. */
  onNameClash: 'fail' | 'rename';
  /** Values for OVF properties by key. */
  properties: Record<string, string>;
  acceptEulas: boolean;
}

export interface ImportProgress {
  disk: string;
  /** Logical bytes of the disk that the cloud has been given. */
  givenBytes: number;
}

export interface ImportResult {
  /** The object that the user asked for. */
  object: { id: string; kind: InventoryObject['kind']; name: string };
  /** Read back out of the cloud, to be compared field by field with what left. */
  description: PackageDescription;
  /** Disks for which the cloud gave a checksum of its stored bytes that agrees with ours: `sha256:<hex>` or `sha1:<hex>`. */
  checksums: Record<string, string>;
  /** Set where nothing can be attached, so that adapters keep the networks of the package (a package in a folder). */
  keepsNetworks?: boolean;
}

export interface Imports {
  /** How often `run` walks over every disk when nothing breaks. Default 1; 2 where sizes are wanted before bytes. */
  readonly walks?: number;
  /** Self-described placement for one destination: datastore or policy, pool, thin or thick … with the choices there are now. */
  placement(destination: string, signal: AbortSignal): Promise<OptionDescription[]>;
  /** Name clash, space, quota, hardware version, placement, networks; touches nothing. */
  check(request: ImportRequest, signal: AbortSignal): Promise<Check[]>;
  /**
   * Builds the object. Called again with the same context after a crash or a broken connection: it then finds what its
   * earlier attempt made by the ledger (ids first, marker else) and adopts or removes it. On return the object has its
   * final name, is powered off, carries the marker only in annotation or metadata, and temporary objects are gone: its
   * row is `made`, all others are `removed` or `absent`. Whoever called proves the copy and then makes the row `kept`.
   * On a fault everything stays as the ledger says: the caller decides between running it again and `undo`.
   */
  run(
    request: ImportRequest,
    feeds: ReadonlyMap<string, DiskFeed>,
    context: WorkContext,
    progress: (progress: ImportProgress) => void,
  ): Promise<ImportResult>;
  /**
   * Removes what the ledger of the work names, by the cloud's id and only with the marker still there; looks for objects
   * with the marker where an intent has no id. Settles each row. Idempotent. Rows in state `kept` are left alone.
   */
  undo(context: WorkContext): Promise<void>;
}

/**
 * Objects one by one, long after the work that made them: what undoing a finished job and looking for orphans needs.
 * `Imports.undo` never touches a row that is `kept`; `remove` does, on purpose, for a caller who has made sure by `look`.
 */
export interface Objects {
  /**
   * An object that can be exported, with or without a marker, as it is now; null when there is nothing under the id.
   * Reads only. What nobody touched in between reads the same again, `version` and `description` included.
   */
  look(id: string, signal: AbortSignal): Promise<SeenObject | null>;
  /** Everything in this cloud that carries a marker, finished or not; a vApp once, not its machines. Reads only. */
  marked(signal: AbortSignal): Promise<MarkedObject[]>;
  /**
   * Removes it with its disks, by id alone. Reads it again first: refuses what no longer carries the marker
   * (`object.changed`) and what runs (`object.in-use`). Gone already is fine. Faults: also `object.busy`.
   */
  remove(id: string, marker: string, signal: AbortSignal): Promise<void>;
}

/**
 * What a move does to its source: nothing of its content, only the settings by which it would be found, reached or
 * started. Every value is text that `settings` told; `off` is understood for all but the name.
 */
export interface Sources {
  /**
   * The settings as they are now; what this object has not (a template no adapters, a cloud no autostart) is missing.
   * `nics` and `autostart` read `off` where nothing is connected, or started by itself. Reads only. Faults:
   * `object.missing`, `object.wrong-kind` for what cannot be set aside.
   */
  settings(id: string, signal: AbortSignal): Promise<SourceSettings>;
  /**
   * Sets one of them; the others stay. Idempotent, and what is set reads the same again. Adapters that came later are
   * left alone. Faults: `object.exists` (the name), `object.changed` (an adapter that is named is gone), `object.busy`.
   */
  set(id: string, setting: SettingName, value: string, signal: AbortSignal): Promise<void>;
  /**
   * Removes it with its disks, by its id, as long as `Objects.look` reads this version. Faults: `object.changed` when it
   * reads another, `object.in-use` when it is not off. Gone already is fine.
   */
  discard(id: string, version: string, signal: AbortSignal): Promise<void>;
}
