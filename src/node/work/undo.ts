import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { WorkResult } from '../../protocol/work.ts';
import type { Desk, OrderOf } from './desk.ts';
import { jointLedger, madeOnly, unsettled } from './ledger-book.ts';
import { NOTHING } from './nothing.ts';
import { persist } from './patience.ts';
import { restoreSetting } from './set-aside.ts';
import type { Work } from './work.ts';

/**
 * Removes what the named works left in the cloud, by their ledger. What cannot be removed is named in the result: an
 * undo ends `done` with leftovers, and `failed` only when it was not tried to the end.
 */
export async function runUndo(desk: Desk, work: Work, signal: AbortSignal): Promise<WorkResult> {
  const { server } = work.row;
  const order = work.row.order as OrderOf<'undo'>;
  const ledger = jointLedger(desk.journal, server, order.works);
  let why = '';
  if (unsettled(ledger.entries).length > 0) {
    try {
      await persist(work, desk.sessions, desk.patience, signal, async () => {
        using borrowed = desk.sessions.borrow(server, order.cloud);
        for (const entry of unsettled(ledger.entries)
          .filter(({ action }) => action === 'change')
          .toReversed()) {
          work.say(`setting back ${entry.role} of "${entry.name}"`);
          await restoreSetting(borrowed.cloud, ledger, entry, signal);
        }
        if (unsettled(ledger.entries).every(({ action }) => action === 'change')) return;
        const { imports } = borrowed.cloud;
        if (imports === undefined) throw new Fault('cloud.unsupported', `cloud ${order.cloud} takes nothing back`);
        work.say('removing what the job made');
        await imports.undo({ signal, log: work.log, marker: order.marker, ledger: madeOnly(ledger) });
      });
    } catch (error) {
      signal.throwIfAborted();
      why = `: ${Fault.from(error, 'undo').message}`;
      work.log.warn(`not everything could be undone${why}`);
    }
  }
  const leftovers = unsettled(ledger.entries).map((entry) => `${sentence(entry)}${why}`);
  return { description: NOTHING, disks: [], differences: [], leftovers };
}

function sentence(entry: LedgerEntry): string {
  const what = `${entry.kind} "${entry.name}"${entry.objectId === undefined ? '' : ` (${entry.objectId})`}`;
  if (entry.action === 'change') return `${entry.role} of ${what} was not set back to ${entry.before ?? 'what it was'}`;
  return entry.state === 'intent' ? `${what} may be there and was not found` : `${what} was not removed`;
}
