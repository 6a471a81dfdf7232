import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Log } from '../../base/log.ts';
import { hashBlock } from '../../model/block-map.ts';
import { NONE } from './block-index.ts';
import type { Sealing } from './sealing.ts';
import { HEAD_BYTES, type SegmentRecord } from './segment.ts';
import { proveSegment, type SegmentContent, scanSegment } from './segment-scan.ts';
import type { Segment, Segments } from './segments.ts';

/** Files that are read at the same time. */
const TOGETHER = 8;
/** `.shared` is what an older release called `.cache`. */
const NAME = /^(\d{10})\.(segment|references|cache|shared)$/;

interface Reference {
  owner: string;
  transfer: string;
  id: Buffer;
}

/**
 * Reads what all segments of a folder say of themselves, and answers the highest number. Where blocks are encrypted those
 * that are not are removed, and the other way round; a torn end of an encrypted segment is proven by `proveOwner`.
 */
export async function loadSegments(
  folder: string,
  segments: Segments,
  encrypted: boolean,
  log: Log | undefined,
): Promise<number> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  const references: Reference[] = [];
  const queue = names.values();
  const work = async () => {
    for (const name of queue) {
      const path = join(folder, name);
      const content = await scanSegment(path);
      if (content === null) {
        log?.warn({ segment: name }, 'a segment without a head was removed');
        await rm(path);
      } else if ((content.head.key !== undefined) !== encrypted) {
        log?.warn({ segment: name }, 'a segment of before the encryption was switched was removed');
        await rm(path);
      } else await enter(path, content, segments, references);
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, work));
  for (const { owner, transfer, id } of references) {
    const entry = segments.of(owner).index.find(id);
    if (entry !== NONE) segments.refer(segments.holder(owner, transfer), entry);
  }
  const byUse = [...segments.byNumber.values()].sort((one, other) => one.touchedAt - other.touchedAt);
  for (const segment of byUse) segments.settle(segment);
  return Number.parseInt(names.at(-1) ?? '0', 10);
}

async function enter(
  path: string,
  content: SegmentContent,
  segments: Segments,
  references: Reference[],
): Promise<void> {
  const [, number, kind] = NAME.exec(basename(path))!;
  let { records, bytes, sealed } = content;
  if (!sealed && content.head.key === undefined) {
    ({ records, bytes } = await proveSegment(path, records, (id, data) => hashBlock(data).equals(id)));
    sealed = true;
  }
  const last = records.at(-1);
  const isCache = kind === 'cache' || kind === 'shared';
  const segment: Segment = {
    ...content.head,
    path,
    number: Number(number),
    bytes,
    footerAt: sealed && last !== undefined ? last.offset + last.length : null,
    first: NONE,
    blocks: 0,
    live: 0,
    liveBytes: 0,
    holder: isCache ? null : segments.holder(content.head.owner, content.head.transfer),
    busy: kind === 'references',
    gone: false,
    touchedAt: content.usedAt,
  };
  segments.add(segment);
  enterRecords(segment, records, segments, references);
}

function enterRecords(segment: Segment, records: SegmentRecord[], segments: Segments, references: Reference[]): void {
  const { owner, transfer, holder } = segment;
  const { index } = segments.of(owner);
  for (const { kind, id, offset, length } of records) {
    if (kind === 'reference' && holder !== null) references.push({ owner, transfer, id });
    if (kind !== 'data') continue;
    const known = index.find(id);
    const entry = known === NONE ? segments.index(segment, id, offset, length) : known;
    if (holder !== null) segments.refer(holder, entry);
  }
}

/**
 * Once the key of an owner is here: removes his segments of another key, and proves those that may have a torn end.
 */
export async function proveOwner(
  segments: Segments,
  owner: string,
  sealing: Sealing,
  log: Log | undefined,
): Promise<void> {
  const isWhole = (id: Buffer, data: Buffer) => {
    sealing.open(id, data);
    return Buffer.compare(sealing.id(hashBlock(data)), id) === 0;
  };
  for (const segment of [...segments.byNumber.values()]) {
    if (segment.owner !== owner) continue;
    if (segment.key !== sealing.key) {
      log?.warn({ segment: segment.path }, 'a segment under a key that was forgotten was removed');
      await segments.delete(segment);
    } else if (segment.footerAt === null) await proveLoaded(segments, segment, isWhole);
  }
}

async function proveLoaded(
  segments: Segments,
  segment: Segment,
  isWhole: (id: Buffer, data: Buffer) => boolean,
): Promise<void> {
  const content = await scanSegment(segment.path);
  if (content === null) return;
  const { records, bytes } = await proveSegment(segment.path, content.records, isWhole);
  const { index } = segments.of(segment.owner);
  for (const { kind, id, offset } of records) {
    const entry = index.find(id);
    const isHere = entry !== NONE && index.segment(entry) === segment.number && index.offset(entry) === offset;
    if (kind === 'damaged' && isHere) segments.remove(segment.owner, entry);
  }
  const last = records.at(-1);
  segment.footerAt = last === undefined ? HEAD_BYTES : last.offset + last.length;
  segments.grow(segment, bytes - segment.bytes);
}
