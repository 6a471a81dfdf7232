import { delay } from '../base/backoff.ts';
import { Fault } from '../model/fault.ts';
import type { CloudView } from '../protocol/api/clouds.ts';
import type { CloudsOptions } from './clouds.ts';
import type { CloudRow } from './store/clouds.ts';
import { applyInventory, countObjects } from './store/objects.ts';

const LONGEST_WAIT_MILLISECONDS = 30_000;
/** Pages are told of changes at most this often. */
const TELL_MILLISECONDS = 700;

/** A cloud as this server knows it. */
export interface Entry {
  row: CloudRow;
  state: CloudView['state'];
  objects: number;
  stop: AbortController;
  opening: Promise<void> | null;
  open: boolean;
  /** Ends the wait before the next try. */
  wake: AbortController;
  keeper: Promise<void>;
}

interface Hands {
  open(entry: Entry): Promise<void>;
  settle(entry: Entry, state: CloudView['state'], change: Partial<CloudRow>): Promise<void>;
  publish(entry: Entry): void;
}

/** Follows the inventories of clouds, on whichever server is the steward. */
export function createWatch(
  { database, nodes, events, fleet, log }: Pick<CloudsOptions, 'database' | 'nodes' | 'events' | 'fleet' | 'log'>,
  { open, settle, publish }: Hands,
) {
  const told = new Map<string, NodeJS.Timeout>();

  const watch = async (entry: Entry, signal: AbortSignal): Promise<void> => {
    const { id, node } = entry.row;
    for await (const event of nodes.client(node).inventory(id, signal)) {
      await applyInventory(database, entry.row.owner, id, event);
      entry.objects = await countObjects(database, id);
      if (event.type === 'snapshot') publish(entry);
      if (told.has(id)) continue;
      const tell = () => {
        told.delete(id);
        events.publish({ type: 'inventory', cloud: id });
      };
      told.set(id, setTimeout(tell, TELL_MILLISECONDS));
    }
    throw new Fault('node.unreachable', `${entry.row.name}: the node ended the inventory`);
  };

  const keep = async (entry: Entry): Promise<void> => {
    const { signal } = entry.stop;
    for (let failures = 0; !signal.aborted; ) {
      const begun = performance.now();
      entry.wake = new AbortController();
      let steward: AbortSignal | null = null;
      try {
        if (!entry.open && entry.row.fault?.retry === 'never') await pause(entry, Number.POSITIVE_INFINITY);
        steward = await fleet.untilSteward(signal);
        await nodes.untilLinked(entry.row.node, AbortSignal.any([signal, steward]));
        if (!entry.open) await open(entry);
        await watch(entry, AbortSignal.any([signal, steward]));
      } catch (error) {
        if (signal.aborted) return;
        if (steward?.aborted === true) {
          // Another server watches it now, and says how it is.
          entry.open = false;
          continue;
        }
        const fault = Fault.from(error, entry.row.name);
        log.info({ cloud: entry.row.name, fault: fault.report() }, 'the watch of the inventory ended');
        entry.open = false;
        if (entry.state === 'connected') {
          await settle(entry, 'connecting', fault.code === 'session.missing' ? {} : { fault: fault.report() });
        }
        failures = performance.now() - begun > 20_000 ? 0 : failures + 1;
        const wait = Math.min(LONGEST_WAIT_MILLISECONDS, 250 * 2 ** Math.min(failures, 8));
        await pause(entry, Math.max(wait, (fault.retryAfterSeconds ?? 0) * 1000));
      }
    }
  };

  const pause = async (entry: Entry, milliseconds: number): Promise<void> => {
    const signal = AbortSignal.any([entry.stop.signal, entry.wake.signal]);
    await delay(Math.min(milliseconds, 2 ** 31 - 1), signal).catch(() => {});
  };

  return {
    /** Signs in and follows until the cloud is left. */
    keep,
    close() {
      for (const timer of told.values()) clearTimeout(timer);
    },
  };
}
