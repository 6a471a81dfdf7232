import type { Cloud, LedgerBook, Objects, Sources } from '../../drivers/driver.ts';
import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import { judge, objectOfRow, type RemovalRow, type Verdict } from '../../model/removal.ts';
import type { MarkedObject } from '../../model/seen-object.ts';
import type { WorkResult } from '../../protocol/work.ts';
import type { Desk, OrderOf } from './desk.ts';
import { removalLedger, unsettled } from './ledger-book.ts';
import { NOTHING } from './nothing.ts';
import { persist } from './patience.ts';
import { judgeSetting, restoreSetting } from './set-aside.ts';
import type { Work } from './work.ts';

/** Areas and leases, which hold no result: they are given back whatever became of them. */
const PASSING = new Set<LedgerEntry['kind']>(['upload', 'lease', 'download', 'snapshot']);

/** What is asked while rows are judged. */
interface Judge {
  objects: Objects;
  sources: Sources | undefined;
  rows: readonly RemovalRow[];
  signal: AbortSignal;
  /** Asked once, and only where a row has no id. */
  marked(): Promise<MarkedObject[]>;
}

export function judgeOf(
  { objects, sources }: Pick<Cloud, 'sources'> & { objects: Objects },
  rows: readonly RemovalRow[],
  signal: AbortSignal,
): Judge {
  let listing: Promise<MarkedObject[]> | undefined;
  const marked = () => {
    listing ??= objects.marked(signal);
    return listing;
  };
  return { objects, sources, rows, signal, marked };
}

/** What would become of a row; touches nothing. */
export async function judgeRow(asked: Judge, row: RemovalRow): Promise<Verdict> {
  const { entry } = row;
  const verdict = (outcome: Verdict['outcome'], reason: string): Verdict => ({
    row: entry.id,
    ...(entry.objectId === undefined ? {} : { object: entry.objectId }),
    outcome,
    reason,
  });
  if (entry.action === 'change') {
    if (row.held !== undefined) return verdict('left', row.held);
    const { outcome, reason } = await judgeSetting(asked, entry, asked.signal);
    return verdict(outcome, reason);
  }
  if (entry.state === 'removed') return verdict('gone', 'it was removed before');
  if (PASSING.has(entry.kind)) {
    return unsettled([entry]).length > 0 ? verdict('remove', 'it is given back') : verdict('gone', 'it is given back');
  }
  const seen = entry.objectId === undefined ? null : await asked.objects.look(entry.objectId, asked.signal);
  if (entry.state === 'kept' || seen?.marker === entry.marker) {
    const { outcome, reason } = judge(row, seen);
    return verdict(outcome, reason);
  }
  const taken = new Set(asked.rows.flatMap((other) => (other === row ? [] : (other.entry.objectId ?? []))));
  const found = objectOfRow(entry, await asked.marked(), taken);
  if (found === undefined && seen !== null) return { ...verdict('left', ''), ...judge(row, seen) };
  if (found === undefined) return verdict('gone', 'nothing in the cloud carries its marker');
  const again = await asked.objects.look(found.id, asked.signal);
  return { ...verdict('gone', ''), object: found.id, ...judge(row, again) };
}

/**
 * Removes what the rows of a job stand for, as far as nothing speaks against it. A row that cannot be removed keeps no
 * other from it. Interrupted and begun again it goes on: what is gone by then counts as removed.
 */
export async function runRemoval(desk: Desk, work: Work, signal: AbortSignal): Promise<WorkResult> {
  const order = work.row.order as OrderOf<'remove'>;
  const { server, id } = work.row;
  const ledger = removalLedger(desk.journal, server, id, order);
  const given = new Map(order.rows.map((row) => [row.entry.id, row]));
  const removals: Verdict[] = [];
  const removedHere = (row: string) =>
    given.get(row)?.entry.state !== 'removed' && ledger.entries.find(({ id: one }) => one === row)?.state === 'removed';
  let unrestored: string | undefined;
  for (const { id: row } of ledger.entries) {
    try {
      if (removedHere(row)) {
        const outcome = given.get(row)?.entry.action === 'change' ? 'restored' : 'removed';
        removals.push({ row, outcome, reason: `it was ${outcome} before the undo was interrupted` });
        continue;
      }
      const removed = await persist(work, desk.sessions, desk.patience, signal, async () => {
        using borrowed = desk.sessions.borrow(server, order.cloud);
        const rows = ledger.entries.map((entry) => ({ ...given.get(entry.id), ...heldBy(entry, unrestored), entry }));
        const { objects } = borrowed.cloud;
        if (objects === undefined) throw new Fault('cloud.unsupported', 'this kind of cloud removes no single object');
        return removeRow(
          borrowed.cloud,
          judgeOf({ ...borrowed.cloud, objects }, rows, signal),
          row,
          ledger,
          work,
          signal,
        );
      });
      if (removed.outcome === 'left' && given.get(row)?.entry.action === 'change') unrestored ??= removed.reason;
      removals.push(removed);
    } catch (error) {
      signal.throwIfAborted();
      const reason = Fault.from(error, 'undo').message;
      if (given.get(row)?.entry.action === 'change') unrestored ??= reason;
      removals.push({ row, outcome: 'left', reason });
    }
  }
  for (const { outcome, object, reason } of removals) work.log.info(`${object ?? 'a row'}: ${outcome}: ${reason}`);
  return { description: NOTHING, disks: [], differences: [], leftovers: [], removals };
}

/** The result of a move stays while a setting of its source is not as it was before. */
function heldBy({ action, state }: LedgerEntry, unrestored: string | undefined): { held?: string } {
  if (unrestored === undefined || action === 'change' || state !== 'kept') return {};
  return { held: `the source of the move stays as it is: ${unrestored}` };
}

async function removeRow(
  cloud: Cloud,
  asked: Judge,
  id: string,
  ledger: LedgerBook,
  work: Work,
  signal: AbortSignal,
): Promise<Verdict> {
  const row = asked.rows.find(({ entry }) => entry.id === id);
  if (row === undefined) throw new Fault('internal', `the ledger has no row ${id}`);
  const { entry } = row;
  const verdict = await judgeRow(asked, row);
  if (entry.action === 'change') {
    if (row.held !== undefined) return verdict;
    const { outcome, reason } = await restoreSetting(cloud, ledger, entry, signal);
    return { ...verdict, outcome: outcome === 'restore' ? 'restored' : outcome, reason };
  }
  if (verdict.outcome === 'gone' && entry.state !== 'removed' && !PASSING.has(entry.kind)) {
    await ledger.settle(entry, entry.objectId === undefined ? 'absent' : 'removed');
  }
  if (verdict.outcome !== 'remove') return verdict;
  work.say(`removing ${entry.kind} "${entry.name}"`);
  if (PASSING.has(entry.kind)) await giveBack(cloud, entry, ledger, work, signal);
  else {
    const object = verdict.object ?? '';
    // The id is in the ledger before the call: nothing is ever removed by anything else.
    const noted = entry.objectId === object ? entry : await ledger.settle(entry, 'made', object);
    await asked.objects.remove(object, entry.marker, signal);
    await ledger.settle(noted, 'removed', object);
  }
  return { ...verdict, outcome: 'removed' };
}

/** The driver's own undo, which sees this one row only. */
async function giveBack(
  { imports }: Cloud,
  entry: LedgerEntry,
  ledger: LedgerBook,
  work: Work,
  signal: AbortSignal,
): Promise<void> {
  if (imports === undefined) throw new Fault('cloud.unsupported', 'this cloud takes nothing back');
  const { intend, settle } = ledger;
  const only: LedgerBook = {
    get entries() {
      return ledger.entries.filter(({ id }) => id === entry.id);
    },
    intend,
    settle,
  };
  await imports.undo({ signal, log: work.log, marker: entry.marker, ledger: only });
}
