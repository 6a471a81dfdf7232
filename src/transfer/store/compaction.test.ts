import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NONE } from './block-index.ts';
import { compact } from './compaction.ts';
import type { SegmentWriter } from './segment-writer.ts';
import { type Segment, Segments } from './segments.ts';

const OWNER = 'alice';
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-compaction-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function segmentAt(number: number, bytes: number): Promise<Segment> {
  const path = join(folder, `${number}.segment`);
  await writeFile(path, Buffer.alloc(bytes));
  const counts = { bytes, footerAt: null, first: NONE, blocks: 0, live: 0, liveBytes: 0, touchedAt: 0 };
  return { owner: OWNER, transfer: 'gone', holder: null, path, number, busy: false, gone: false, ...counts };
}

it('leaves blocks behind whose transfer is released while they are read, and fails nothing', async () => {
  const segments = new Segments();
  const [from, to] = [await segmentAt(1, 4096), await segmentAt(2, 0)];
  segments.add(from);
  segments.add(to);
  const holder = segments.holder(OWNER, 't1');
  for (let block = 0; block < 4; block++) {
    segments.refer(holder, segments.index(from, Buffer.alloc(32, block + 1), block * 1024, 1024));
  }
  expect(from.live).toBe(4);
  let written = 0;
  await compact(segments, from, (wanted) => {
    if (wanted.over) throw new Error('asked to write for a transfer that was released');
    segments.forget(wanted);
    written++;
    return { append: async () => ({ segment: to, offset: 0 }) } as unknown as SegmentWriter;
  });
  expect(written).toBe(1);
  expect(segments.liveBytes).toBe(0);
  expect(from.gone).toBe(true);
  await expect(stat(from.path)).rejects.toMatchObject({ code: 'ENOENT' });
});
