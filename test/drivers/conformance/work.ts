import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type {
  Cloud,
  DiskFeed,
  DriverLog,
  ImportRequest,
  ImportResult,
  LedgerBook,
  WorkContext,
} from '../../../src/drivers/driver.ts';
import type { DataBlock } from '../../../src/model/block-map.ts';
import { Fault } from '../../../src/model/fault.ts';
import type { FaultCode } from '../../../src/model/fault-kinds.ts';
import type { InventoryObject } from '../../../src/model/inventory.ts';
import type { LedgerEntry } from '../../../src/model/ledger.ts';
import {
  type DiskDescription,
  type MachineDescription,
  type PackageDescription,
  partsOf,
} from '../../../src/model/machine.ts';
import { MEDIA_FILE, mediaPackage } from '../../../src/model/media.ts';
import { DiskContent, rootOf } from './disk-content.ts';
import type { World } from './world.ts';

export const quietLog: DriverLog = { info: () => undefined, warn: () => undefined };

/** A ledger in memory that outlives attempts, as the server's does. */
class MemoryLedger implements LedgerBook {
  readonly rows: LedgerEntry[] = [];
  readonly #marker: string;

  constructor(marker: string) {
    this.#marker = marker;
  }

  get entries(): readonly LedgerEntry[] {
    return [...this.rows];
  }

  async intend(what: Parameters<LedgerBook['intend']>[0]): Promise<LedgerEntry> {
    const at = new Date().toISOString();
    const id = `row-${what.role}`;
    const entry: LedgerEntry = {
      id,
      job: 'job',
      owner: 'o',
      cloud: 'c',
      marker: this.#marker,
      state: 'intent',
      at,
      ...what,
    };
    return this.#keep(entry);
  }

  async settle(entry: LedgerEntry, state: LedgerEntry['state'], objectId?: string): Promise<LedgerEntry> {
    const known = this.rows.find((row) => row.id === entry.id);
    if (known === undefined) throw new Error(`settled without an intent: ${entry.role}`);
    return this.#keep({ ...known, state, ...(objectId === undefined ? {} : { objectId }) });
  }

  #keep(entry: LedgerEntry): LedgerEntry {
    const at = this.rows.findIndex((row) => row.id === entry.id);
    if (at < 0) this.rows.push(entry);
    else this.rows[at] = entry;
    return entry;
  }
}

export interface Work extends WorkContext {
  ledger: MemoryLedger;
}

export function newWork(signal: AbortSignal = new AbortController().signal): Work {
  const marker = randomBytes(8).toString('hex');
  return { signal, marker, log: quietLog, ledger: new MemoryLedger(marker) };
}

/** The same work in another attempt. */
export function again(work: Work, signal: AbortSignal = new AbortController().signal): Work {
  return { ...work, signal };
}

export async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Fault);
  return error as Fault;
}

export async function expectFault(work: Promise<unknown>, world: World, ...codes: FaultCode[]): Promise<Fault> {
  const fault = await faultOf(work);
  expect(codes).toContain(fault.code);
  expect(fault.message.startsWith(`${world.driver.name} ${world.settings.label}: `)).toBe(true);
  for (const [name, value] of Object.entries(world.settings.options)) {
    const secret = world.driver.options.find((option) => option.name === name)?.type === 'secret';
    if (secret) expect(JSON.stringify(fault.report())).not.toContain(value);
  }
  return fault;
}

/** Reads every disk and file of an object, all at the same time. */
export async function exportRoots(cloud: Cloud, id: string, work: Work = newWork()) {
  const open = await cloud.exports!.open(id, work);
  let outcome: 'complete' | 'abandoned' = 'abandoned';
  try {
    const disks = partsOf(open.description).map(({ kind, id, lengthBytes }) => ({
      kind,
      id,
      capacityBytes: lengthBytes,
    }));
    const roots = await Promise.all(
      disks.map(({ kind, id, capacityBytes }) => rootOf(capacityBytes, open.read(id, work.signal), kind)),
    );
    outcome = 'complete';
    return { description: open.description, version: open.version, disks, roots };
  } finally {
    await open.close(outcome);
  }
}

export interface MadePackage {
  description: PackageDescription;
  contents: Map<string, DiskContent>;
}

/** A package that comes from nowhere, with disks of the given sizes and two adapters. */
export function madePackage(name: string, capacities: readonly number[], machines = 1): MadePackage {
  const contents = new Map<string, DiskContent>();
  const list = Array.from({ length: machines }, (_, number): MachineDescription => {
    const id = `machine-${number}`;
    const disks = capacities.map((capacityBytes, index): DiskDescription => {
      const disk = { id: `${id}/disk-${index}`, label: `Hard disk ${index + 1}`, capacityBytes };
      contents.set(disk.id, new DiskContent(`${name} ${disk.id}`, capacityBytes));
      return { ...disk, controller: index === 2 ? 'lsilogic-1' : 'pvscsi-0', unit: index === 2 ? 3 : index };
    });
    return {
      id,
      name: machines === 1 ? name : `${name} ${number + 1}`,
      notes: `first line of ${id}\nsecond line, <ä> & "ö"`,
      guestId: 'debian12_64Guest',
      hardwareVersion: 'vmx-19',
      cpus: 4,
      coresPerSocket: 2,
      memoryMib: 768,
      firmware: 'efi',
      secureBoot: true,
      controllers: [
        { id: 'pvscsi-0', kind: 'pvscsi', bus: 0 },
        ...(capacities.length > 2 ? [{ id: 'lsilogic-1', kind: 'lsilogic' as const, bus: 1 }] : []),
      ],
      disks,
      nics: [
        {
          label: 'Network adapter 1',
          kind: 'vmxnet3',
          mac: `00:50:56:0${number}:aa:01`,
          network: 'office',
          connected: true,
        },
        {
          label: 'Network adapter 2',
          kind: 'e1000e',
          mac: `00:50:56:0${number}:aa:02`,
          network: 'lab',
          connected: true,
        },
      ],
      bootOrder: ['disk', 'network'],
      uuid: `4212c0de-1111-4222-8333-00000000000${number}`,
      properties: [],
      eulas: [],
      extras: {},
    };
  });
  return {
    contents,
    description: {
      kind: machines === 1 ? 'vm' : 'vapp',
      name,
      notes: machines === 1 ? list[0]!.notes : 'notes of the vApp',
      machines: list,
      networks: [{ name: 'office' }, { name: 'lab' }],
      startOrder: list.map((machine, index) => ({
        machine: machine.id,
        order: index + 1,
        startAction: 'powerOn',
        startDelaySeconds: 10 + index,
        stopAction: 'guestShutdown',
        stopDelaySeconds: 20 + index,
      })),
      properties: [],
      eulas: [],
    },
  };
}

/** An image of a disc of this length that comes from nowhere. */
export function madeMedia(name: string, bytes: number): MadePackage {
  const description = mediaPackage(name, bytes);
  return { description, contents: new Map([[MEDIA_FILE, new DiskContent(`media ${name}`, bytes, 'file')]]) };
}

export interface FeedOptions {
  /** Before a block is handed over. */
  before?: (disk: string, index: number) => Promise<void> | void;
  /** Milliseconds until a block arrives. */
  pauseMilliseconds?: number;
}

export function feedsOf(made: MadePackage, options: FeedOptions = {}): Map<string, DiskFeed> {
  const feeds = new Map<string, DiskFeed>();
  for (const [disk, content] of made.contents) {
    feeds.set(disk, {
      disk,
      capacityBytes: content.capacityBytes,
      async *blocks(from: number, signal: AbortSignal): AsyncGenerator<DataBlock> {
        for (const block of content.blocks(from)) {
          if (options.pauseMilliseconds !== undefined) await sleep(options.pauseMilliseconds, undefined, { signal });
          await options.before?.(disk, block.index);
          signal.throwIfAborted();
          yield block;
        }
      },
    });
  }
  return feeds;
}

export function requestFor(world: World, made: MadePackage, changes: Partial<ImportRequest> = {}): ImportRequest {
  const { kind, name } = made.description;
  const media = kind === 'media';
  return {
    description: made.description,
    name,
    destination: media ? world.images : kind === 'template' ? world.templates : world.machines,
    placement: media ? {} : (world.placement ?? {}),
    networks: media ? {} : { office: world.network.id, lab: null },
    keepMac: false,
    keepUuid: false,
    onNameClash: 'fail',
    properties: {},
    acceptEulas: false,
    ...changes,
  };
}

export async function runImport(
  world: World,
  cloud: Cloud,
  made: MadePackage,
  changes: Partial<ImportRequest> = {},
  work: Work = newWork(),
  feeds: FeedOptions = {},
): Promise<ImportResult> {
  return await cloud.imports!.run(requestFor(world, made, changes), feedsOf(made, feeds), work, () => undefined);
}

/** The inventory as it is now. */
export async function snapshot(cloud: Cloud): Promise<InventoryObject[]> {
  const stop = new AbortController();
  try {
    for await (const event of cloud.inventory.watch(stop.signal)) {
      if (event.type !== 'snapshot') throw new Error(`the first event is ${event.type}`);
      return event.objects;
    }
  } finally {
    stop.abort();
  }
  throw new Error('the watch ended before its first event');
}

/** Objects that are there under a name, finished or not. */
export async function named(cloud: Cloud, name: string): Promise<InventoryObject[]> {
  const objects = await snapshot(cloud);
  const found = objects.filter(
    (object) =>
      ['vm', 'vapp', 'template'].includes(object.kind) && (object.name === name || object.name.startsWith(`${name} [`)),
  );
  // A vApp and the machine of the same name inside of it are one object to a person.
  return found.filter((object) => !found.some(({ id }) => id === object.parent));
}

export function unfinished(objects: readonly InventoryObject[]): string[] {
  return objects.filter((object) => object.name.includes('[cloudspan ')).map((object) => object.name);
}
