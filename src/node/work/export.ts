import { delay } from '../../base/backoff.ts';
import type { OpenExport } from '../../drivers/driver.ts';
import { Fault } from '../../model/fault.ts';
import type { TransferProgress } from '../../model/job.ts';
import { partsOf } from '../../model/machine.ts';
import type { WorkResult } from '../../protocol/work.ts';
import { Offer } from '../../transfer/source/offer.ts';
import { serveOffer } from '../../transfer/source/serve.ts';
import { Slots } from '../peer/slots.ts';
import { contextOf, type Desk, type OrderOf, pacedTransfer, peerOptions, transferOf } from './desk.ts';
import { unsettled } from './ledger-book.ts';
import { persist } from './patience.ts';
import { every } from './ticker.ts';
import { stopOnLongTrouble } from './trouble.ts';
import type { Work } from './work.ts';

/** Time for the receiver to hear why a transfer ends for good. */
const LAST_WORD_MILLISECONDS = 3000;

/**
 * Reads an object out of its cloud and offers its blocks until the receiver has confirmed every root. The result is
 * written down before the receiver hears that this was the end, and before the export is given back to the cloud: a
 * crash in between only gives it back.
 */
export async function runExport(desk: Desk, work: Work, signal: AbortSignal): Promise<WorkResult> {
  return persist(work, desk.sessions, desk.patience, signal, async () => {
    const order = work.row.order as OrderOf<'export'>;
    using borrowed = desk.sessions.borrow(work.row.server, order.cloud);
    const { cloud } = borrowed;
    if (work.row.result !== undefined) {
      await giveBack(desk, work, signal, cloud.imports);
      return work.row.result;
    }
    if (cloud.exports === undefined) throw new Fault('cloud.unsupported', `cloud ${order.cloud} gives nothing away`);
    work.say('opening the source');
    const open = await cloud.exports.open(order.object, contextOf(desk, work, signal));
    let outcome: 'complete' | 'abandoned' = 'abandoned';
    let result: WorkResult;
    try {
      result = await offer(desk, work, open, transferOf(order), signal);
      outcome = 'complete';
    } finally {
      work.say('giving the source back');
      await open.close(outcome).catch((error) => {
        work.log.warn(`the export was not given back: ${Fault.from(error, 'export').message}`);
      });
    }
    await giveBack(desk, work, signal, cloud.imports);
    return result;
  });
}

async function offer(
  desk: Desk,
  work: Work,
  open: OpenExport,
  transfer: string,
  signal: AbortSignal,
): Promise<WorkResult> {
  const { description, version } = open;
  const result = (): WorkResult => {
    const disks = partsOf(description).map(({ id, label, lengthBytes: capacityBytes }) => ({
      disk: id,
      label,
      capacityBytes,
      root: offered.map(id).root(),
      level: 'sent' as const,
    }));
    return { description, version, disks, differences: [], leftovers: [] };
  };
  const proven = () => work.save({ result: result() });
  const offered = new Offer({ transfer, owner: work.row.order.owner, description, proven });
  const outlet = desk.limits.outlet(pacedTransfer(work));
  const slots = new Slots();
  const streams = (count: number) => slots.want(count);
  const server = serveOffer(offered, { log: desk.log, stallSeconds: desk.stallSeconds, outlet, streams });
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const onAbort = () => offered.close();
  until.addEventListener('abort', onAbort, { once: true });
  using trouble = stopOnLongTrouble(work, desk.patience, stop);
  using _ticker = every(500, () => work.report(exportProgress(offered)));
  try {
    work.say('waiting for the receiver');
    const peer = { ...peerOptions(work, transfer, trouble.tell), slots };
    const sockets = desk.peers.serve(peer, (one) => server.accept(one), until);
    const through = readDisks(work, open, offered, until).then(() => offered.done);
    await Promise.race([through, sockets.then(() => through)]);
    work.report(exportProgress(offered));
    work.log.info('the receiver has every disk and confirmed the roots');
    return result();
  } catch (error) {
    const reason = stop.signal.aborted ? stop.signal.reason : error;
    if (!signal.aborted) {
      const fault = Fault.from(reason, `transfer ${transfer}`);
      offered.fail(fault);
      if (fault.retry === 'never') await delay(LAST_WORD_MILLISECONDS, signal);
    }
    throw reason;
  } finally {
    until.removeEventListener('abort', onAbort);
    stop.abort();
    await server.close();
    offered.close();
  }
}

/** In the order of the package: that is the order in which destinations take them. */
async function readDisks(work: Work, open: OpenExport, offered: Offer, signal: AbortSignal): Promise<void> {
  for (const disk of partsOf(open.description)) {
    work.say(`reading ${disk.label}`);
    for await (const block of open.read(disk.id, signal)) await offered.add(disk.id, block);
    signal.throwIfAborted();
    offered.endDisk(disk.id);
    work.log.info(`${disk.label}: read to its end, root ${offered.map(disk.id).root()}`);
  }
  work.say('waiting for the receiver to store the rest');
}

/**
 * After a crash between the receiver's last word and the end of the export, or when the cloud was away in that moment:
 * what the ledger names is released.
 */
export async function giveBack(
  desk: Desk,
  work: Work,
  signal: AbortSignal,
  imports: { undo(context: ReturnType<typeof contextOf>): Promise<void> } | undefined,
): Promise<void> {
  const context = contextOf(desk, work, signal);
  if (unsettled(context.ledger.entries).length > 0) await imports?.undo(context);
}

function exportProgress(offered: Offer): TransferProgress {
  const { readBytes, wireBytes, resentBytes } = offered.progress();
  const disks = partsOf(offered.description).map(({ id, label, lengthBytes: capacityBytes }) => {
    const bytes = readBytes[id] ?? 0;
    return { disk: id, label, capacityBytes, arrivedBytes: bytes, givenBytes: bytes };
  });
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  return {
    disks,
    totalBytes: sum(disks.map((disk) => disk.capacityBytes)),
    doneBytes: sum(disks.map((disk) => disk.givenBytes)),
    zeroBytes: 0,
    alreadyThereBytes: 0,
    wireBytes,
    resentBytes,
  };
}
