import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Flow, Gate } from './gate.ts';
import { pacedInlet } from './pace.ts';
import { Turns } from './turns.ts';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
const weighing = (weight: number): Flow => ({ weight: () => weight });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Passes without end; counts what got through. */
function pour(gate: Gate, flow: Flow, bytes: number, signal = never) {
  const poured = { bytes: 0 };
  void (async () => {
    for (;;) {
      await gate.pass(flow, bytes, signal);
      if (signal.aborted) return;
      poured.bytes += bytes;
    }
  })();
  return poured;
}

const stopped = () => new AbortController();

test('holds its rate over any longer time, with one block more at most', async () => {
  const gate = new Gate(() => 10 * MIB);
  const stop = stopped();
  const poured = pour(gate, weighing(1), MIB, stop.signal);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(poured.bytes).toBeGreaterThanOrEqual(97 * MIB);
  expect(poured.bytes).toBeLessThanOrEqual(104 * MIB);
  stop.abort();
});

test('lets a block through that is larger than a second has room for, and then waits it out', async () => {
  const gate = new Gate(() => 1_000_000 / 8);
  const stop = stopped();
  const poured = pour(gate, weighing(1), MIB, stop.signal);
  await vi.advanceTimersByTimeAsync(0);
  expect(poured.bytes).toBe(MIB);
  await vi.advanceTimersByTimeAsync(8_000);
  expect(poured.bytes).toBe(MIB);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(poured.bytes).toBe(2 * MIB);
  stop.abort();
});

test('saves up no more than a moment while nobody asks', async () => {
  const gate = new Gate(() => 8 * MIB);
  await gate.pass(weighing(1), MIB, never);
  await vi.advanceTimersByTimeAsync(3_600_000);
  const stop = stopped();
  const poured = pour(gate, weighing(1), MIB / 4, stop.signal);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(poured.bytes).toBeLessThanOrEqual(10.5 * MIB);
  stop.abort();
});

test('is closed at zero, and open from the moment that the rate is another one', async () => {
  let rate: number | null = 0;
  const gate = new Gate(() => rate);
  let passed = 0;
  for (let count = 0; count < 5; count++) void gate.pass(weighing(1), MIB, never).then(() => passed++);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(passed).toBe(0);
  rate = null;
  gate.changed();
  await vi.advanceTimersByTimeAsync(0);
  expect(passed).toBe(5);
});

test('sees a rate that changes by the clock within a second or so, without being told', async () => {
  let rate = 0;
  const gate = new Gate(() => rate);
  let passed = false;
  void gate.pass(weighing(1), MIB, never).then(() => {
    passed = true;
  });
  await vi.advanceTimersByTimeAsync(10_000);
  rate = 1e15;
  await vi.advanceTimersByTimeAsync(1_100);
  expect(passed).toBe(true);
});

test('pays at the new rate what is owed from the old one', async () => {
  let rate = 100;
  const gate = new Gate(() => rate);
  await gate.pass(weighing(1), MIB, never);
  let passed = false;
  void gate.pass(weighing(1), MIB, never).then(() => {
    passed = true;
  });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(passed).toBe(false);
  rate = 10 * MIB;
  gate.changed();
  await vi.advanceTimersByTimeAsync(150);
  expect(passed).toBe(true);
});

test('shares alike between equals, and by weight between others, however many ask in one name', async () => {
  const gate = new Gate(() => 20 * MIB);
  const stop = stopped();
  const [one, two, heavy] = [weighing(1), weighing(1), weighing(2.5)];
  const poured = [one, one, one, one, two, heavy, heavy, heavy].map((flow) => ({
    flow,
    got: pour(gate, flow, MIB, stop.signal),
  }));
  await vi.advanceTimersByTimeAsync(30_000);
  const of = (flow: Flow) =>
    poured.filter((entry) => entry.flow === flow).reduce((sum, entry) => sum + entry.got.bytes, 0);
  expect(of(one) / of(two)).toBeGreaterThan(0.9);
  expect(of(one) / of(two)).toBeLessThan(1.1);
  expect(of(heavy) / of(one)).toBeGreaterThan(2.2);
  expect(of(heavy) / of(one)).toBeLessThan(2.8);
  stop.abort();
});

test('lets go of one that does not want to wait any more', async () => {
  const gate = new Gate(() => 0);
  const control = new AbortController();
  const waiting = gate.pass(weighing(1), MIB, control.signal);
  control.abort();
  await waiting;
  await gate.pass(weighing(1), MIB, control.signal);
});

/** A link that carries blocks of all inlets in their order, at a rate. */
function link(inlets: { weight: number; depth: number; wireBytes: number }[], bytesPerSecond: number) {
  const turns = new Turns();
  const queue: (() => void)[] = [];
  const arrived = inlets.map(() => 0);
  const stop = new AbortController();
  for (const [index, { weight, depth, wireBytes }] of inlets.entries()) {
    const flow = weighing(weight);
    const inlet = pacedInlet(flow, [], turns.join(flow));
    let waiting = 0;
    inlet.watch(() => waiting === depth);
    for (let slot = 0; slot < depth; slot++) {
      void (async () => {
        while (!stop.signal.aborted) {
          await inlet.ask(stop.signal);
          waiting++;
          await new Promise<void>((done) => queue.push(done));
          waiting--;
          inlet.came(wireBytes);
          arrived[index]! += wireBytes;
        }
      })();
    }
  }
  const timer = setInterval(() => queue.shift()?.(), (MIB / bytesPerSecond) * 1000);
  return {
    arrived,
    end: () => {
      clearInterval(timer);
      stop.abort();
    },
  };
}

test('shares a link by weight where no limit does, whoever has more connections', async () => {
  vi.useRealTimers();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  const running = link(
    [
      { weight: 2.5, depth: 8, wireBytes: MIB },
      { weight: 1, depth: 32, wireBytes: MIB },
      { weight: 1, depth: 16, wireBytes: MIB },
    ],
    100 * MIB,
  );
  await vi.advanceTimersByTimeAsync(20_000);
  const [heavy = 0, one = 0, two = 0] = running.arrived;
  running.end();
  expect(heavy / one).toBeGreaterThan(2.2);
  expect(one / two).toBeGreaterThan(0.9);
  expect(one / two).toBeLessThan(1.1);
  expect(heavy + one + two).toBeGreaterThan(1900 * MIB);
});

test('is not held up by one whose own cloud is slower than the link', async () => {
  const turns = new Turns();
  const [slow, fast] = [weighing(15), weighing(1)];
  const slowInlet = pacedInlet(slow, [], turns.join(slow));
  const fastInlet = pacedInlet(fast, [], turns.join(fast));
  await slowInlet.ask(never);
  for (let count = 0; count < 1000; count++) {
    await fastInlet.ask(never);
    fastInlet.came(MIB);
  }
  slowInlet.came(MIB);
});
