import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDisk } from '../../bench/material.ts';
import { transfer } from '../../bench/ours/transfer.ts';
import { missing } from '../interop/witnesses.ts';
import { openLine } from './line.ts';

const skip = missing('copies over a long line', ['root', 'tun', 'koffi', 'ip']);
const MiB = 1024 * 1024;

describe.skipIf(skip)('a copy over a long line', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cloudspan-wan-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.for([
    { roundTripMilliseconds: 0, loss: 0.01, mebibytes: 96, congestion: 'cubic' },
    { roundTripMilliseconds: 100, loss: 0.001, mebibytes: 96, congestion: 'cubic' },
    { roundTripMilliseconds: 100, loss: 0.001, mebibytes: 96, congestion: 'bbr' },
    { roundTripMilliseconds: 250, loss: 0.01, mebibytes: 16, congestion: 'cubic' },
  ] as const)('arrives equal: %o', async ({ mebibytes, ...way }) => {
    const disk = join(folder, 'source.raw');
    const out = join(folder, 'arrived.raw');
    await makeDisk(disk, mebibytes * MiB, 'half');
    await using line = await openLine({ megabitsPerSecond: 200, seed: 5, ...way });
    const { seconds } = await transfer(disk, folder, {
      host: line.near.address,
      source: line.near.prefix,
      destination: line.far.prefix,
      out,
    });
    const carried = line.arrivedBytes();
    const report = await line.end();
    const megabits = (mebibytes * MiB * 4) / 1e6 / seconds;
    console.log(
      `${JSON.stringify(way)}: ${megabits.toFixed(0)} Mbit/s of data; late packets ${(report.late * 100).toFixed(1)} %`,
    );
    execFileSync('cmp', [disk, out]);
    expect(report.there.lost).toBeGreaterThan(0);
    expect(carried).toBeGreaterThan((mebibytes * MiB) / 2);
  });
});
