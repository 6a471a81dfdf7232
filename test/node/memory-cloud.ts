import { randomBytes } from 'node:crypto';
import type { Cloud, Driver, ImportRequest, ImportResult } from '../../src/drivers/driver.ts';
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
import { Fault } from '../../src/model/fault.ts';
import type { InventoryObject } from '../../src/model/inventory.ts';
import { disksOf, type PackageDescription } from '../../src/model/machine.ts';

/** A machine of the double: what it looks like, and the blocks of its disks. */
export interface MemoryMachine {
  description: PackageDescription;
  blocks: Map<string, Map<number, Buffer>>;
}

/** A cloud in memory: the node's own tests need one that can be told to be slow, busy or gone. */
export interface MemoryWorld {
  password: string;
  machines: Map<string, MemoryMachine>;
  logins: number;
  openSessions: number;
  /** Called before each block that is read or handed in; may wait or throw. */
  onRead: (disk: string, index: number) => Promise<void>;
  onWrite: (disk: string, index: number) => Promise<void>;
  /** Called before each short call. */
  onAsk: (what: string) => Promise<void>;
  opened: number;
  imports: number;
}

export function memoryWorld(): MemoryWorld {
  const nothing = async () => {};
  return {
    password: 'right',
    machines: new Map(),
    logins: 0,
    openSessions: 0,
    onRead: nothing,
    onWrite: nothing,
    onAsk: nothing,
    opened: 0,
    imports: 0,
  };
}

/** A machine with one disk per size (in MiB), every second block filled with random bytes. */
export function putMachine(world: MemoryWorld, id: string, mebibytes: number[]): MemoryMachine {
  const description: PackageDescription = {
    kind: 'vm',
    name: id,
    notes: '',
    networks: [],
    startOrder: [],
    properties: [],
    eulas: [],
    machines: [
      {
        id,
        name: id,
        notes: '',
        guestId: 'debian12_64Guest',
        cpus: 1,
        coresPerSocket: 1,
        memoryMib: 256,
        firmware: 'bios',
        controllers: [{ id: 'pvscsi-0', kind: 'pvscsi', bus: 0 }],
        disks: mebibytes.map((size, unit) => ({
          id: `${id}/disk-${unit}`,
          label: `Hard disk ${unit + 1}`,
          capacityBytes: size * BLOCK_BYTES,
          controller: 'pvscsi-0',
          unit,
        })),
        nics: [],
        bootOrder: [],
        properties: [],
        eulas: [],
        extras: {},
      },
    ],
  };
  const blocks = new Map<string, Map<number, Buffer>>();
  for (const disk of disksOf(description)) {
    const content = new Map<number, Buffer>();
    for (let index = 0; index < disk.capacityBytes / BLOCK_BYTES; index += 2)
      content.set(index, randomBytes(BLOCK_BYTES));
    blocks.set(disk.id, content);
  }
  const machine = { description, blocks };
  world.machines.set(id, machine);
  return machine;
}

export function memoryDriver(worlds: Record<string, MemoryWorld>): Driver {
  return {
    name: 'memory',
    title: 'A cloud in memory',
    options: [
      { name: 'world', label: 'World', help: '', type: 'text', required: true },
      { name: 'password', label: 'Password', help: '', type: 'secret', required: true },
    ],
    endpoint: () => null,
    async connect({ options, label }) {
      const world = worlds[options.world ?? ''];
      if (world === undefined) throw new Fault('cloud.unreachable', `memory ${label}: there is no such world`);
      world.logins++;
      await world.onAsk('connect');
      if (options.password !== world.password)
        throw new Fault('auth.refused', `memory ${label}: the password is wrong`);
      world.openSessions++;
      return openCloud(world, label);
    },
  };
}

function openCloud(world: MemoryWorld, label: string): Cloud {
  const find = (id: string) => {
    const machine = world.machines.get(id);
    if (machine === undefined) throw new Fault('object.missing', `memory ${label}: nothing is there under ${id}`);
    return machine;
  };
  let open = true;
  return {
    async about() {
      await world.onAsk('about');
      return { vendor: 'nobody', product: 'memory', version: '1', apiVersion: '1', instance: label, user: 'tester' };
    },
    async examine() {
      await world.onAsk('examine');
      return { checks: [{ name: 'version', outcome: 'pass', found: 'It is memory.' }], capabilities: [] };
    },
    inventory: {
      async *watch(signal) {
        await world.onAsk('watch');
        yield { type: 'snapshot', objects: [...world.machines.keys()].map(objectOf) };
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      },
      async get(id) {
        await world.onAsk('get');
        find(id);
        return objectOf(id);
      },
    },
    exports: {
      check: async () => [],
      describe: async (id) => find(id).description,
      async open(id, context) {
        const machine = find(id);
        world.opened++;
        const row = await context.ledger.intend({ action: 'create', kind: 'lease', role: 'lease', name: id });
        await context.ledger.settle(row, 'made', `lease-${world.opened}`);
        return {
          description: machine.description,
          version: 'v1',
          async *read(disk) {
            for (const [index, data] of machine.blocks.get(disk) ?? []) {
              await world.onRead(disk, index);
              yield { index, data };
            }
          },
          async close() {
            await context.ledger.settle(row, 'removed');
          },
        };
      },
    },
    imports: {
      placement: async () => [],
      check: async () => [],
      run: (request, feeds, context, progress) => importMachine(world, request, feeds, context, progress),
      async undo(context) {
        for (const entry of context.ledger.entries) {
          if (entry.state !== 'made' && entry.state !== 'intent') continue;
          if (entry.kind === 'vm') world.machines.delete(entry.name);
          await context.ledger.settle(entry, 'removed');
        }
      },
    },
    async close() {
      if (open) world.openSessions--;
      open = false;
    },
  };
}

type Run = NonNullable<Cloud['imports']>['run'];

async function importMachine(
  world: MemoryWorld,
  request: ImportRequest,
  feeds: Parameters<Run>[1],
  context: Parameters<Run>[2],
  progress: Parameters<Run>[3],
): Promise<ImportResult> {
  world.imports++;
  const { signal, ledger } = context;
  const row = await ledger.intend({ action: 'create', kind: 'vm', role: 'machine', name: request.name });
  const blocks = new Map<string, Map<number, Buffer>>();
  const [machine] = request.description.machines;
  const description = { ...request.description, name: request.name, machines: machine ? [machine] : [] };
  world.machines.set(request.name, { description, blocks });
  await ledger.settle(row, 'made', request.name);
  for (const disk of disksOf(request.description)) {
    const content = new Map<number, Buffer>();
    blocks.set(disk.id, content);
    for await (const block of feeds.get(disk.id)?.blocks(0, signal) ?? []) {
      await world.onWrite(disk.id, block.index);
      signal.throwIfAborted();
      content.set(block.index, Buffer.from(block.data));
      progress({ disk: disk.id, givenBytes: block.index * BLOCK_BYTES });
    }
  }
  return { object: { id: request.name, kind: 'vm', name: request.name }, description, checksums: {} };
}

function objectOf(id: string): InventoryObject {
  return { id, kind: 'vm', name: id, parent: null, abilities: ['export'] };
}
