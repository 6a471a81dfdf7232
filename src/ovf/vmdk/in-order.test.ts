import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inOrder } from './in-order.ts';

const never = new AbortController().signal;

async function* count(end: number): AsyncGenerator<number> {
  for (let at = 0; at < end; at++) yield at;
}

test('results come in the order of the items, and never more than the limit run at once', async () => {
  let running = 0;
  let most = 0;
  const results = inOrder(count(50), 4, never, async (item) => {
    most = Math.max(most, ++running);
    await sleep((item * 7) % 5);
    running--;
    return item;
  });
  expect(await Array.fromAsync(results)).toEqual([...Array(50).keys()]);
  expect(most).toBe(4);
});

test('a result comes while the source lets wait for its next item', async () => {
  async function* source(): AsyncGenerator<number> {
    yield 1;
    await new Promise(() => undefined);
  }
  const results = inOrder(source(), 4, never, async (item) => item);
  expect(await results.next()).toEqual({ done: false, value: 1 });
  await results.return(undefined);
});

test('a failure of the source comes behind the results, a failure of an item in its place', async () => {
  async function* source(): AsyncGenerator<number> {
    yield* count(3);
    throw new Error('source');
  }
  const seen: number[] = [];
  const walk = async (run: (item: number) => Promise<number>): Promise<void> => {
    for await (const result of inOrder(source(), 8, never, run)) seen.push(result);
  };
  await expect(walk(async (item) => item)).rejects.toThrow('source');
  expect(seen).toEqual([0, 1, 2]);
  const bad = async (item: number): Promise<number> => {
    if (item === 1) throw new Error('item');
    return item;
  };
  await expect(walk(bad)).rejects.toThrow('item');
  expect(seen).toEqual([0, 1, 2, 0]);
});

test('the source is closed when the consumer stops', async () => {
  let closed = false;
  async function* source(): AsyncGenerator<number> {
    try {
      yield* count(1000);
    } finally {
      closed = true;
    }
  }
  for await (const result of inOrder(source(), 3, never, async (item) => item)) {
    if (result === 5) break;
  }
  await sleep(1);
  expect(closed).toBe(true);
});

test('an abort is thrown although source and items hang', async () => {
  const abort = new AbortController();
  const results = inOrder(count(3), 2, abort.signal, () => new Promise<number>(() => undefined));
  setTimeout(() => abort.abort(new Error('enough')), 5);
  await expect(results.next()).rejects.toThrow('enough');
});
