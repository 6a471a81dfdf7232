import { EventEmitter } from 'node:events';
import path from 'node:path';
import type { FaultRules } from './faults.ts';
import type { LeaseBook } from './http-nfc-lease.ts';
import type { AnyRecord, RecordOf } from './record.ts';
import type { SessionBook } from './session-manager.ts';
import type { Store } from './store.ts';
import type { TaskBook } from './task-manager.ts';
import { notFound } from './vim-fault.ts';

/** Switches of the lab that no vendor has, all of them with the vendor's behaviour as default. */
export type LabOptions = {
  /** Seconds without progress after which a lease ends. The vendor's value is 300. */
  leaseTimeoutSeconds: number;
  /** Give lease URLs with `*` as host, as an ESXi host does that does not know its own name. */
  starHost: boolean;
  /** Idle seconds after which a session ends. */
  sessionIdleSeconds: number;
  /** How long a task stays queued and then running before its work begins, each. */
  taskMilliseconds: number;
  /** By how much its clock is ahead, or behind where negative. */
  clockOffsetSeconds: number;
};

export const DEFAULT_OPTIONS: LabOptions = {
  leaseTimeoutSeconds: 300,
  starHost: false,
  sessionIdleSeconds: 1800,
  taskMilliseconds: 0,
  clockOffsetSeconds: 0,
};

const PREFIX: Record<AnyRecord['type'], string> = {
  Folder: 'group-v',
  Datacenter: 'datacenter-',
  ClusterComputeResource: 'domain-c',
  ComputeResource: 'domain-s',
  HostSystem: 'host-',
  ResourcePool: 'resgroup-',
  VirtualApp: 'resgroup-v',
  Datastore: 'datastore-',
  Network: 'network-',
  DistributedVirtualPortgroup: 'dvportgroup-',
  VmwareDistributedVirtualSwitch: 'dvs-',
  VirtualMachine: 'vm-',
  VirtualMachineSnapshot: 'snapshot-',
};

/** The simulated vCenter: its objects, and the books of what lives only as long as the process. */
export class Lab {
  readonly folder: string;
  readonly store: Store;
  readonly options: LabOptions;
  readonly faults: FaultRules;
  readonly instanceUuid: string;
  readonly changes = new EventEmitter();
  /** Session cookies, and the unguessable part of every lease's URLs, since the start. */
  readonly handedOut = new Set<string>();
  readonly #objects = new Map<string, AnyRecord>();
  #next: number;
  #waking = false;
  sessions!: SessionBook;
  tasks!: TaskBook;
  leases!: LeaseBook;
  /** Where the simulated ESXi host answers, set once it listens. */
  host = { url: '', thumbprint: '', certificate: '' };

  constructor(folder: string, store: Store, options: LabOptions, faults: FaultRules) {
    this.folder = folder;
    this.store = store;
    this.options = options;
    this.faults = faults;
    this.changes.setMaxListeners(0);
    this.#next = (store.setting('next') as number | undefined) ?? 10;
    const known = store.setting('instanceUuid') as string | undefined;
    this.instanceUuid = known ?? crypto.randomUUID();
    if (!known) store.set('instanceUuid', this.instanceUuid);
    for (const row of store.objects()) this.#objects.set((row as AnyRecord).id, row as AnyRecord);
  }

  /** A new id in the vendor's style; ids are never used again, over restarts too. */
  id(type: AnyRecord['type'] | 'Task', prefix?: string): string {
    const number = this.#next++;
    this.store.set('next', this.#next);
    return `${prefix ?? (type === 'Task' ? 'task-' : PREFIX[type])}${number}`;
  }

  find<T extends AnyRecord['type']>(type: T, id: string | undefined): RecordOf<T> | undefined {
    const record = id === undefined ? undefined : this.#objects.get(id);
    return record?.type === type ? (record as RecordOf<T>) : undefined;
  }

  /** @throws ManagedObjectNotFound */
  get<T extends AnyRecord['type']>(type: T, id: string | undefined): RecordOf<T> {
    const record = this.find(type, id);
    if (!record) throw notFound(type, id ?? '');
    return record;
  }

  any(id: string | undefined): AnyRecord | undefined {
    return id === undefined ? undefined : this.#objects.get(id);
  }

  all<T extends AnyRecord['type']>(...types: T[]): RecordOf<T>[] {
    return [...this.#objects.values()].filter((record) => types.includes(record.type as T)) as RecordOf<T>[];
  }

  /** Records whose `parent` is the given object, in the order they were made. */
  children(parent: string): AnyRecord[] {
    return [...this.#objects.values()].filter((record) => 'parent' in record && record.parent === parent);
  }

  /** Commits a new or changed record and tells who waits for updates. */
  put<T extends AnyRecord>(record: T): T {
    this.#objects.set(record.id, record);
    this.store.put(record.id, record);
    this.changed();
    return record;
  }

  remove(id: string): void {
    this.#objects.delete(id);
    this.store.remove(id);
    this.changed();
  }

  /** Something a PropertyCollector can see has changed; waiters are woken once per turn of the event loop. */
  changed(): void {
    if (this.#waking) return;
    this.#waking = true;
    setImmediate(() => {
      this.#waking = false;
      this.changes.emit('change');
    });
  }

  /** The nearest object of a type on the way up from the given one, itself included. */
  above<T extends AnyRecord['type']>(type: T, id: string | undefined): RecordOf<T> | undefined {
    for (let at = this.any(id); at; at = this.any('parent' in at ? at.parent : undefined)) {
      if (at.type === type) return at as RecordOf<T>;
    }
    return undefined;
  }

  /** What its clock shows. */
  now(): Date {
    return new Date(Date.now() + this.options.clockOffsetSeconds * 1000);
  }

  /** The root folder. */
  get root(): RecordOf<'Folder'> {
    return this.get('Folder', 'group-d1');
  }

  datastoreFolder(datastore: string): string {
    return path.join(this.folder, 'datastores', datastore);
  }
}

/**
 * A name as vCenter keeps it: `/`, `\` and `%` are escaped, a `%` that already begins one of these escapes is left alone.
 */
export function entityName(name: string): string {
  return name
    .replace(/%(?!2f|5c|25)/gi, '%25')
    .replaceAll('/', '%2f')
    .replaceAll('\\', '%5c');
}
