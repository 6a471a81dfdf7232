import { open } from 'node:fs/promises';
import { NONE } from './block-index.ts';
import type { SegmentWriter } from './segment-writer.ts';
import type { Holder, Segment, Segments } from './segments.ts';

/** Blocks that are copied at a time: they share one write. */
const TOGETHER = 8;

/**
 * Copies the blocks of a segment that transfers need to where one of these transfers writes, and deletes the segment.
 * Bytes are copied as they are: a damaged block stays one, and is found when it is read.
 */
export async function compact(
  segments: Segments,
  segment: Segment,
  writerOf: (holder: Holder) => SegmentWriter,
): Promise<void> {
  segment.busy = true;
  segments.settle(segment);
  try {
    const { index } = segments.of(segment.owner);
    const needed: number[] = [];
    for (let entry = segment.first; entry !== NONE; entry = index.next(entry)) {
      if (index.references(entry) > 0) needed.push(entry);
    }
    const file = await open(segment.path, 'r');
    try {
      for (let at = 0; at < needed.length; at += TOGETHER) {
        await Promise.all(
          needed.slice(at, at + TOGETHER).map(async (entry) => {
            if (index.segment(entry) !== segment.number) return;
            const id = index.id(entry);
            // While its bytes are copied it may be removed, and its entry used again.
            const isHere = () => index.find(id) === entry && index.segment(entry) === segment.number;
            const data = Buffer.allocUnsafe(index.length(entry));
            await file.read(data, 0, data.length, index.offset(entry));
            // Who needs it is asked now: the transfer that did may have been released while it was read.
            const holder = isHere() ? holderOf(segments, segment, entry) : null;
            if (holder === null) return;
            const place = await writerOf(holder).append(id, data);
            if (!isHere()) return;
            segments.move(segment.owner, entry, segments.byNumber.get(place.segment.number)!, place.offset);
          }),
        );
      }
    } finally {
      await file.close();
    }
  } finally {
    segment.busy = false;
    segments.settle(segment);
  }
  if (segment.live === 0) await segments.delete(segment);
}

/** The transfer of the segment when it needs the block itself: it alone has no record of that elsewhere. */
function holderOf(segments: Segments, segment: Segment, entry: number): Holder | null {
  if (segment.holder?.entries.has(entry)) return segment.holder;
  const { holders } = segments.of(segment.owner);
  for (const holder of holders.values()) if (holder.entries.has(entry)) return holder;
  return null;
}
