import { setImmediate as breathe } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Slots } from './slots.ts';

/** Work that goes on until it is told to end, like a socket that the other side closes. */
function sockets(slots: Slots, signal: AbortSignal) {
  const open = new Set<() => void>();
  const work = async (leave: () => boolean) => {
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        const end = () => {
          open.delete(end);
          resolve();
        };
        open.add(end);
        signal.addEventListener('abort', end, { once: true });
      });
      if (leave()) return;
    }
  };
  return { open, done: slots.keep(work, signal) };
}

describe('the sockets of a dialling source', () => {
  it('become as many as the receiver wants, also fewer', async () => {
    const slots = new Slots();
    const stop = new AbortController();
    const { open, done } = sockets(slots, stop.signal);
    expect(open.size).toBe(4);
    slots.want(16);
    expect(open.size).toBe(16);
    slots.want(6);
    for (const close of [...open].slice(0, 12)) close();
    await breathe();
    expect(open.size).toBe(6);
    for (const close of [...open].slice(0, 2)) close();
    await breathe();
    expect(open.size).toBe(6);
    stop.abort();
    await done;
  });

  it('end with the fault of the first one that cannot be mended', async () => {
    const slots = new Slots();
    const work = () => Promise.reject(new Error('a foreign ticket'));
    await expect(slots.keep(work, new AbortController().signal)).rejects.toThrow('a foreign ticket');
  });

  it('do not begin when it is over', async () => {
    await new Slots().keep(() => Promise.reject(new Error('begun')), AbortSignal.abort());
  });
});
