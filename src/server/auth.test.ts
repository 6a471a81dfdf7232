import { expect, test } from 'vitest';
import { createGate } from './auth.ts';

test('a few wrong passwords cost nothing, then each doubles the wait up to a quarter of an hour', () => {
  let now = 0;
  const gate = createGate(() => now);
  const waits: number[] = [];
  for (let attempt = 0; attempt < 20; attempt++) {
    gate.failed('admin');
    let wait = 0;
    try {
      gate.pass('admin');
    } catch (fault) {
      wait = (fault as { retryAfterSeconds: number }).retryAfterSeconds;
    }
    waits.push(wait);
    now += wait * 1000;
  }
  expect(waits.slice(0, 8)).toEqual([0, 0, 0, 0, 1, 2, 4, 8]);
  expect(Math.max(...waits)).toBe(900);
  expect(() => gate.pass('admin')).not.toThrow();
});

test('the wait is over by itself, and a right password forgets the failures', () => {
  let now = 0;
  const gate = createGate(() => now);
  for (let attempt = 0; attempt < 6; attempt++) gate.failed('admin');
  expect(() => gate.pass('admin')).toThrow(expect.objectContaining({ code: 'auth.refused' }));
  now += 2_000;
  expect(() => gate.pass('admin')).not.toThrow();
  gate.succeeded('admin');
  gate.failed('admin');
  expect(() => gate.pass('admin')).not.toThrow();
});

test('guessing one name does not slow down another', () => {
  const gate = createGate(() => 0);
  for (let attempt = 0; attempt < 10; attempt++) gate.failed('admin');
  expect(() => gate.pass('somebody')).not.toThrow();
});
