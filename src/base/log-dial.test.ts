import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLog, dialOf } from './log.ts';

test('a level holds for the log, for children that there are and for later ones, and goes back after a while', async () => {
  const log = createLog('test', 'warn');
  const child = log.child({ work: 'one' });
  const grandchild = child.child({ disk: 1 });
  const dial = dialOf(log);
  expect(dial.set('debug', 0.3)).toMatchObject({ level: 'debug', usual: 'warn', until: expect.any(String) });
  expect([log, child, grandchild, log.child({})].map(({ level }) => level)).toEqual(Array(4).fill('debug'));
  await sleep(500);
  expect(dial.state()).toEqual({ level: 'warn', usual: 'warn' });
  expect([log.level, grandchild.level]).toEqual(['warn', 'warn']);
});

test('a while ends in what was set for good before it, and null is what the process started with', () => {
  const dial = dialOf(createLog('test', 'error'));
  dial.set('info');
  expect(dial.set('trace', 60)).toMatchObject({ level: 'trace', usual: 'info' });
  expect(dial.set('debug', 60)).toMatchObject({ level: 'debug', usual: 'info' });
  expect(dial.set(null)).toEqual({ level: 'error', usual: 'error' });
});
