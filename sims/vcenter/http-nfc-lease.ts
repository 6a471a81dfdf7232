import { randomUUID } from 'node:crypto';
import type { Lab } from './lab.ts';
import { type Invocation, kind } from './managed.ts';
import { type Data, number, objects, type Ref, ref, text } from './value.ts';
import { invalidArgument, VimFault } from './vim-fault.ts';

/** What went through the URL of one device. */
type Passed = { sha1: string; sha256: string; bytes: number; capacity: number; populated: number };

/** A disk or file that a lease gives a URL for. */
export type LeaseDevice = {
  key: string;
  importKey: string;
  /** Last part of the URL. */
  name: string;
  vm: string;
  /** Descriptor of the disk; its bytes are in the flat file. */
  place: { datastore: string; path: string };
  capacity: number;
  adapter: string;
  disk: boolean;
  passed: Passed | undefined;
  /** An upload has begun and has not ended well. */
  open: boolean;
};

type LeaseState = 'initializing' | 'ready' | 'done' | 'error';

export type Lease = {
  id: string;
  ticket: string;
  mode: 'export' | 'import';
  entity: Ref;
  vms: string[];
  state: LeaseState;
  error: Data | undefined;
  progress: number;
  devices: LeaseDevice[];
  checksums: Map<string, string>;
  task: string;
  timer: NodeJS.Timeout | undefined;
  /** Ends every transfer of the lease. */
  stop: AbortController;
  finish: (error?: VimFault) => void;
  /** Undoes what an import has made. */
  undo: () => Promise<void>;
  /** Makes it final. */
  commit: () => void;
};

type Opening = {
  mode: Lease['mode'];
  entity: Ref;
  entityName: string;
  description: string;
  prepare: (lease: Lease) => Promise<void>;
  undo?: () => Promise<void>;
  commit?: () => void;
};

/** The leases of this run. A restart ends them all; half-made machines are then removed by the server's start. */
export class LeaseBook {
  readonly #lab: Lab;
  readonly #leases = new Map<string, Lease>();

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  get open(): Lease[] {
    return [...this.#leases.values()].filter((lease) => lease.state === 'initializing' || lease.state === 'ready');
  }

  find(id: string): Lease | undefined {
    return this.#leases.get(id);
  }

  byTicket(ticket: string): Lease | undefined {
    return this.open.find((lease) => lease.ticket === ticket && !lease.stop.signal.aborted);
  }

  taskHolding(vm: string): string | undefined {
    return this.open.find((lease) => lease.vms.includes(vm))?.task;
  }

  /** Opens a lease: `initializing` at once, `ready` when it is prepared. The lease's task runs until it ends. */
  begin(call: Invocation, opening: Opening): Ref {
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => undefined);
    const lease: Lease = {
      id: `session[${call.session?.key ?? ''}]${randomUUID()}`,
      ticket: randomUUID(),
      mode: opening.mode,
      entity: opening.entity,
      vms: opening.entity._ref === 'VirtualMachine' ? [opening.entity.id] : [],
      state: 'initializing',
      error: undefined,
      progress: 0,
      devices: [],
      checksums: new Map(),
      task: '',
      timer: undefined,
      stop: new AbortController(),
      finish: (error) => (error ? ended.reject(error) : ended.resolve()),
      undo: opening.undo ?? (async () => undefined),
      commit: opening.commit ?? (() => undefined),
    };
    this.#lab.handedOut.add(lease.ticket);
    lease.task = this.#lab.tasks.start(
      call,
      opening.entity,
      opening.entityName,
      opening.description,
      async (progress) => {
        const timer = setInterval(() => progress(lease.progress), 500);
        await ended.promise.finally(() => clearInterval(timer));
        return undefined;
      },
    ).id;
    this.#leases.set(lease.id, lease);
    void this.#prepare(lease, opening);
    return ref('HttpNfcLease', lease.id);
  }

  async #prepare(lease: Lease, opening: Opening): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    try {
      await opening.prepare(lease);
      // Ended while it was being prepared: what was made since then goes too.
      if (lease.stop.signal.aborted) return void (await lease.undo());
      lease.state = 'ready';
      this.keepAlive(lease);
      this.#lab.changed();
    } catch (error) {
      const fault =
        error instanceof VimFault ? error : new VimFault('SystemError', String(error), { reason: String(error) });
      await this.fail(lease, fault);
    }
  }

  keepAlive(lease: Lease): void {
    clearTimeout(lease.timer);
    const seconds = this.#lab.options.leaseTimeoutSeconds;
    lease.timer = setTimeout(() => void this.expire(lease), seconds * 1000);
    lease.timer.unref();
  }

  expire(lease: Lease): Promise<void> {
    const seconds = this.#lab.options.leaseTimeoutSeconds;
    return this.fail(
      lease,
      new VimFault('Timedout', `The lease timed out: no progress was reported for ${seconds} seconds.`),
    );
  }

  /** Ends a lease with an error: its URLs are dead, and what an import had made is removed. The lease itself can still be read. */
  async fail(lease: Lease, fault: VimFault): Promise<void> {
    if (lease.stop.signal.aborted) return;
    this.#stop(lease);
    await lease.undo();
    lease.error = fault.localized;
    lease.state = 'error';
    lease.finish(fault);
    this.#lab.changed();
  }

  async abort(lease: Lease): Promise<void> {
    const ended = lease.stop.signal.aborted;
    this.#stop(lease);
    if (!ended) await lease.undo();
    lease.state = 'error';
    this.#leases.delete(lease.id);
    lease.finish(new VimFault('RequestCanceled', 'The task was canceled by a user.'));
    this.#lab.changed();
  }

  complete(lease: Lease): void {
    const open = lease.devices.find((device) => device.open);
    if (open) throw invalidState(`${open.key} has not been received whole`);
    this.#stop(lease);
    lease.commit();
    lease.state = 'done';
    lease.progress = 100;
    this.#leases.delete(lease.id);
    lease.finish();
    this.#lab.changed();
  }

  #stop(lease: Lease): void {
    clearTimeout(lease.timer);
    lease.stop.abort();
  }

  close(): void {
    for (const lease of this.#leases.values()) {
      this.#stop(lease);
      lease.finish();
    }
  }
}

function invalidState(why: string): VimFault {
  return new VimFault('InvalidState', `The operation is not allowed in the current state: ${why}.`);
}

function ready(lease: Lease): void {
  if (lease.state !== 'ready' || lease.stop.signal.aborted) throw invalidState(`the lease is ${lease.state}`);
}

function info(lab: Lab, lease: Lease): Data | undefined {
  if (lease.state !== 'ready') return undefined;
  return {
    _type: 'HttpNfcLeaseInfo',
    lease: ref('HttpNfcLease', lease.id),
    entity: lease.entity,
    deviceUrl: lease.devices.map((device) => ({
      key: device.key,
      importKey: device.importKey,
      url: `${lab.options.starHost ? lab.host.url.replace(/\/\/[^:/]+/, '//*') : lab.host.url}/nfc/${lease.ticket}/${encodeURIComponent(device.name)}`,
      sslThumbprint: lab.host.thumbprint,
      disk: device.disk,
      targetId: device.name,
      datastoreKey: `datastore://${device.place.datastore}/`,
    })),
    totalDiskCapacityInKB: Math.ceil(lease.devices.reduce((sum, device) => sum + device.capacity, 0) / 1024),
    leaseTimeout: lab.options.leaseTimeoutSeconds,
    hostMap: [...new Set(lease.devices.map((device) => device.place.datastore))].map((datastore) => ({
      datastoreKey: `datastore://${datastore}/`,
      hosts: [{ url: `${lab.host.url}/`, sslThumbprint: lab.host.thumbprint }],
    })),
  };
}

export const httpNfcLease = kind<Lease>(
  'HttpNfcLease',
  (lab, id) => lab.leases.find(id),
  {
    initializeProgress: (_lab, lease) => (lease.state === 'initializing' ? 0 : 100),
    transferProgress: (_lab, lease) => lease.progress,
    mode: () => 'pushOrGet',
    capabilities: () => ({ pullModeSupported: false, corsSupported: false }),
    info,
    state: (_lab, lease) => lease.state,
    error: (_lab, lease) => lease.error,
  },
  {
    HttpNfcLeaseProgress(call, lease, args) {
      const percent = number(args, 'percent') ?? 0;
      if (percent < 0 || percent > 100) throw invalidArgument('percent');
      ready(lease);
      lease.progress = percent;
      call.lab.leases.keepAlive(lease);
      call.lab.changed();
      return undefined;
    },
    HttpNfcLeaseGetManifest(_call, lease) {
      ready(lease);
      return lease.devices.flatMap((device): Data[] => {
        if (!device.passed) return [];
        const chosen = lease.checksums.get(device.key) ?? 'sha256';
        return [
          {
            key: device.key,
            sha1: device.passed.sha1,
            checksum: chosen === 'sha256' ? device.passed.sha256 : device.passed.sha1,
            checksumType: chosen,
            size: device.passed.bytes,
            disk: device.disk,
            ...(device.disk ? { capacity: device.passed.capacity, populatedSize: device.passed.populated } : {}),
          },
        ];
      });
    },
    HttpNfcLeaseSetManifestChecksumType(_call, lease, args) {
      ready(lease);
      for (const pair of objects(args, 'deviceUrlsToChecksumTypes')) {
        const type = text(pair, 'value') ?? '';
        if (type !== 'sha1' && type !== 'sha256') throw invalidArgument('deviceUrlsToChecksumTypes', type);
        if (!lease.devices.some((device) => device.key === text(pair, 'key')))
          throw invalidArgument('deviceUrlsToChecksumTypes');
        lease.checksums.set(text(pair, 'key') ?? '', type);
      }
      return undefined;
    },
    HttpNfcLeaseComplete(call, lease) {
      ready(lease);
      call.lab.leases.complete(lease);
      return undefined;
    },
    async HttpNfcLeaseAbort(call, lease) {
      if (lease.state === 'done') throw invalidState('the lease is done');
      await call.lab.leases.abort(lease);
      return undefined;
    },
  },
);
