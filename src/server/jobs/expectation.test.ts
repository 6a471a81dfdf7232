import { expect, test } from 'vitest';
import { modeCheck, timeCheck } from './expectation.ts';

const MIB = 1024 ** 2;

test('the expected time is that of the slowest to the fastest earlier copy, or said to be unknown', () => {
  expect(timeCheck(600 * MIB, []).found).toContain('no copy between these two clouds yet');
  expect(timeCheck(600 * MIB, [10 * MIB]).found).toContain('about 60 s');
  expect(timeCheck(6000 * MIB, [10 * MIB, MIB]).found).toContain('10 min to 1.7 h');
});

test('a running source is down for the whole of a cold copy, and is told so', () => {
  expect(modeCheck({ kind: 'vm', name: 'web' }, true, true).found).toMatch(
    /shut down first.*started.*down for the whole/,
  );
  expect(modeCheck({ kind: 'vm', name: 'web' }, false, false).found).toMatch(/off already.*stays off\.$/);
  expect(modeCheck({ kind: 'template', name: 'web' }, false, false).found).toContain('nothing has to stand still');
});
