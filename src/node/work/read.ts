import { BLOCK_BYTES } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { TransferProgress } from '../../model/job.ts';
import { partsOf } from '../../model/machine.ts';
import type { DiskProof, WorkResult } from '../../protocol/work.ts';
import { readMap } from '../disk-root.ts';
import { contextOf, type Desk, type OrderOf } from './desk.ts';
import { giveBack } from './export.ts';
import { persist } from './patience.ts';
import { untilUnlocked } from './reservation.ts';
import { seedOf } from './seed.ts';
import { every } from './ticker.ts';
import type { Work } from './work.ts';

/**
 * Reads every disk and file of an object out of its cloud and tells the roots: what is there now, whatever was once copied. Where
 * the order says so, what was read stays as cache, and is not read where it is here already, nor further than there is room: no root
 * is told then.
 */
export async function runRead(desk: Desk, work: Work, signal: AbortSignal): Promise<WorkResult> {
  return persist(work, desk.sessions, desk.patience, signal, async () => {
    const order = work.row.order as OrderOf<'read'>;
    using borrowed = desk.sessions.borrow(work.row.server, order.cloud);
    const { cloud } = borrowed;
    if (cloud.exports === undefined) throw new Fault('cloud.unsupported', `cloud ${order.cloud} gives nothing away`);
    if (order.remember !== undefined) await untilUnlocked(desk, work, signal);
    await using seed = seedOf(desk, work, signal);
    if (await seed?.isHeld()) {
      work.log.info('this node still holds it: nothing is read');
      const held = await cloud.exports.describe(order.object, signal);
      return { description: held, disks: [], differences: [], leftovers: [] };
    }
    work.say('opening the object');
    const open = await cloud.exports.open(order.object, contextOf(desk, work, signal));
    let outcome: 'complete' | 'abandoned' = 'abandoned';
    const { description, version } = open;
    const read = new Map<string, number>();
    const proofs: DiskProof[] = [];
    try {
      using _ticker = every(500, () => work.report(progressOf(proofs, read, description)));
      for (const [at, part] of partsOf(description).entries()) {
        const { id, label, lengthBytes: capacityBytes } = part;
        work.say(`reading ${label}`);
        const map = await readMap(open, part, signal, (block) => {
          read.set(id, Math.min(capacityBytes, (block.index + 1) * BLOCK_BYTES));
          return seed?.keep(block) ?? true;
        });
        await seed?.remember(at, map);
        if (!map.complete) break;
        proofs.push({ disk: id, label, capacityBytes, root: map.root(), level: 'readback' });
      }
      outcome = 'complete';
    } finally {
      work.say('giving the object back');
      await open.close(outcome).catch((error) => {
        work.log.warn(`what was opened was not given back: ${Fault.from(error, 'read').message}`);
      });
    }
    await giveBack(desk, work, signal, cloud.imports);
    return { description, version, disks: proofs, differences: [], leftovers: [] };
  });
}

function progressOf(
  proofs: readonly DiskProof[],
  read: ReadonlyMap<string, number>,
  description: WorkResult['description'],
): TransferProgress {
  const disks = partsOf(description).map(({ id, label, lengthBytes: capacityBytes }) => {
    const bytes = proofs.some(({ disk }) => disk === id) ? capacityBytes : (read.get(id) ?? 0);
    return { disk: id, label, capacityBytes, arrivedBytes: bytes, givenBytes: bytes };
  });
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  return {
    disks,
    totalBytes: sum(disks.map(({ capacityBytes }) => capacityBytes)),
    doneBytes: sum(disks.map(({ givenBytes }) => givenBytes)),
    zeroBytes: 0,
    alreadyThereBytes: 0,
    wireBytes: 0,
    resentBytes: 0,
  };
}
