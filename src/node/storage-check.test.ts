import { expect, test } from 'vitest';
import { samplePackage } from '../transfer/sample-transfer.ts';
import { checkStorage } from './storage-check.ts';

const GIB = 1024 ** 3;
const usage = {
  limitBytes: 10 * GIB,
  usedBytes: 6 * GIB,
  liveBytes: 2 * GIB,
  cacheBytes: 4 * GIB,
  reservedBytes: GIB,
  freeDiskBytes: 50 * GIB,
};
const machine = (gib: number) => samplePackage({ a: { capacityBytes: gib * GIB, blocks: [] } });

test('a package that fits beside what others need passes; cache makes way for it', () => {
  expect(checkStorage(machine(7), usage, 1).outcome).toBe('pass');
});

test('a larger one is warned of with the sizes and with what may come twice', () => {
  const check = checkStorage(machine(8), usage, 1);
  expect(check).toMatchObject({ name: 'transfer-storage', outcome: 'warn' });
  expect(check.found).toMatch(/up to 8\.0 GiB .* room for 7\.0 GiB .* begin anew/);
  expect(checkStorage(machine(8), usage, 2).found).toContain('sizes before bytes');
});

test('a disk without the space counts as the limit does', () => {
  expect(checkStorage(machine(2), { ...usage, cacheBytes: 0, freeDiskBytes: GIB }, 1).outcome).toBe('warn');
});
