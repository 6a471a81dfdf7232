import { Readable } from 'node:stream';
import { withBackoff } from '../../base/backoff.ts';
import type { InventoryEvent } from '../../model/inventory.ts';
import type { StreamHandler } from '../api.ts';
import type { BorrowedCloud, Sessions } from '../sessions.ts';

const ATTEMPTS = 4;

/**
 * The inventory as NDJSON: a snapshot, then changes. The first event is awaited, so that a cloud that cannot be read
 * answers with its fault; later on a watch that breaks ends the stream, and the server asks again.
 */
export function inventoryRoute(sessions: Sessions): StreamHandler {
  return async ({ server, parameters, signal }) => {
    const borrowed = sessions.borrow(server, parameters.cloud ?? '');
    const until = AbortSignal.any([signal, borrowed.retired]);
    try {
      const { events, first } = await withBackoff(() => begin(borrowed, until), { signal: until, attempts: ATTEMPTS });
      return Readable.from(lines(borrowed, events, first, until));
    } catch (error) {
      borrowed[Symbol.dispose]();
      throw error;
    }
  };
}

async function begin(borrowed: BorrowedCloud, signal: AbortSignal) {
  const events = borrowed.cloud.inventory.watch(signal)[Symbol.asyncIterator]();
  return { events, first: await events.next() };
}

async function* lines(
  borrowed: BorrowedCloud,
  events: AsyncIterator<InventoryEvent>,
  first: IteratorResult<InventoryEvent>,
  signal: AbortSignal,
): AsyncGenerator<string> {
  try {
    for (let next = first; next.done !== true && !signal.aborted; next = await events.next()) {
      yield `${JSON.stringify(next.value)}\n`;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await events.return?.();
    borrowed[Symbol.dispose]();
  }
}
