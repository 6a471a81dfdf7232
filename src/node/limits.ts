import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../base/files.ts';
import { Fault } from '../model/fault.ts';
import { bytesPerSecondAt, type Limit, type NodeLimits } from '../model/limit.ts';
import { NodeLimitsSchema } from '../protocol/nouns.ts';
import { type Flow, Gate } from '../transfer/pace/gate.ts';
import { type Inlet, type Outlet, openInlet, openOutlet, pacedInlet, pacedOutlet } from '../transfer/pace/pace.ts';
import { Turns } from '../transfer/pace/turns.ts';

/** One end of a transfer, as it is paced. */
export interface PacedTransfer extends Flow {
  /** The joined server whose transfer it is. */
  server: string;
  /** Pin of the other node. */
  peer: string;
}

const FileSchema = z.record(z.string(), NodeLimitsSchema);
const NONE: NodeLimits = { own: null, pairs: {}, peers: {} };

/**
 * How fast blocks may leave and arrive, by joined server: one never slows the transfers of another. Kept in the node's
 * folder, so that a restart forgets no limit while the server is away.
 */
export class Limits {
  readonly #path: string;
  readonly #servers: Map<string, NodeLimits>;
  readonly #gates = new Map<string, Gate>();
  readonly #turns = new Map<string, Turns>();
  #written = Promise.resolve();

  private constructor(path: string, servers: Map<string, NodeLimits>) {
    this.#path = path;
    this.#servers = servers;
  }

  static async open(folder: string): Promise<Limits> {
    const path = join(folder, 'limits.json');
    try {
      return new Limits(path, new Map(Object.entries(FileSchema.parse(JSON.parse(await readFile(path, 'utf8'))))));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Limits(path, new Map());
      throw new Fault('input.invalid', `${path} does not hold the limits of this node`, {
        cause: error,
        remedy: 'Remove the file: the server tells the limits again.',
      });
    }
  }

  /** Holds at once for everything that runs; durable when it resolves. */
  async set(server: string, limits: NodeLimits): Promise<void> {
    this.#servers.set(server, limits);
    for (const gate of this.#gates.values()) gate.changed();
    const text = () => `${JSON.stringify(Object.fromEntries(this.#servers), undefined, 2)}\n`;
    const written = this.#written.then(() => writeDurably(this.#path, text()));
    this.#written = written.catch(() => {});
    await written;
  }

  /** Where the blocks of a transfer leave this node. */
  outlet(transfer: PacedTransfer | null): Outlet {
    return transfer === null ? openOutlet : pacedOutlet(transfer, this.#gatesOf(transfer, 'out'));
  }

  /** Where they arrive. Disposing gives up the place among the other transfers. */
  inlet(transfer: PacedTransfer | null): Inlet & Disposable {
    if (transfer === null) return { ...openInlet, [Symbol.dispose]: () => {} };
    const key = JSON.stringify([transfer.server, transfer.peer]);
    const turns = this.#turns.get(key) ?? new Turns();
    this.#turns.set(key, turns);
    const turn = turns.join(transfer);
    return {
      ...pacedInlet(transfer, this.#gatesOf(transfer, 'in'), turn),
      [Symbol.dispose]: () => turn.leave(),
    };
  }

  /** The narrow ones first, so that what waits at them does not hold up others at the node's own. */
  #gatesOf({ server, peer }: PacedTransfer, direction: 'in' | 'out'): Gate[] {
    const gate = (what: string, limit: (limits: NodeLimits) => Limit | null) => {
      const key = JSON.stringify([server, direction, what]);
      const found =
        this.#gates.get(key) ?? new Gate(() => bytesPerSecondAt(limit(this.#servers.get(server) ?? NONE), Date.now()));
      this.#gates.set(key, found);
      return found;
    };
    return [
      gate(`pair ${peer}`, ({ pairs }) => pairs[peer] ?? null),
      gate(`peer ${peer}`, ({ peers }) => peers[peer] ?? null),
      gate('own', ({ own }) => own),
    ];
  }
}
