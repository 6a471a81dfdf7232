import { randomUUID } from 'node:crypto';
import type { LedgerBook } from '../../drivers/driver.ts';
import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { WorkOrder } from '../../protocol/work.ts';
import type { WorkJournal } from '../journal.ts';

/** The ledger of one work. Rows are on disk when a method resolves. */
export function workLedger(journal: WorkJournal, server: string, work: string, order: WorkOrder): LedgerBook {
  const put = (entry: LedgerEntry): LedgerEntry => {
    journal.putLedger(server, work, entry);
    return entry;
  };
  return {
    get entries() {
      return journal.ledger(server, work);
    },
    async intend(what) {
      const known = journal.ledger(server, work).find((entry) => entry.role === what.role);
      return put({
        id: known?.id ?? randomUUID(),
        job: order.job,
        owner: order.owner,
        cloud: order.cloud,
        marker: order.marker,
        ...what,
        state: 'intent',
        at: timeAfter(known?.at),
      });
    },
    async settle(entry, state, objectId) {
      const known = journal.ledger(server, work).find(({ role }) => role === entry.role);
      return put(settled(entry, state, objectId, known));
    },
  };
}

/** The rows of several works together, for undoing them. Nothing new can be intended here. */
export function jointLedger(journal: WorkJournal, server: string, works: readonly string[]): LedgerBook {
  const rows = () => works.flatMap((work) => journal.ledger(server, work).map((entry) => ({ work, entry })));
  return {
    get entries() {
      return rows().map(({ entry }) => entry);
    },
    async intend(what) {
      throw new Fault('internal', `an undo may not make anything: ${what.role}`);
    },
    async settle(entry, state, objectId) {
      const row = rows().find((one) => one.entry.id === entry.id);
      if (row === undefined) throw new Fault('internal', `the ledger has no row ${entry.id}`);
      const next = settled(entry, state, objectId, row.entry);
      journal.putLedger(server, row.work, next);
      return next;
    },
  };
}

/**
 * Rows that came with an order to remove them, as far as this work has settled them since. Where the work that made a row
 * is still known here, its ledger follows, so that a retry knows what is gone.
 */
export function removalLedger(
  journal: WorkJournal,
  server: string,
  work: string,
  order: Extract<WorkOrder, { kind: 'remove' }>,
): LedgerBook {
  const entries = () => {
    const settled = new Map(journal.ledger(server, work).map((entry) => [entry.id, entry]));
    return order.rows.map(({ entry }) => settled.get(entry.id) ?? entry);
  };
  return {
    get entries() {
      return entries();
    },
    async intend(what) {
      throw new Fault('internal', `an undo may not make anything: ${what.role}`);
    },
    async settle(entry, state, objectId) {
      const known = entries().find(({ id }) => id === entry.id);
      const next = settled(entry, state, objectId, known);
      for (const maker of order.works) {
        if (journal.ledger(server, maker).some(({ id }) => id === entry.id)) journal.putLedger(server, maker, next);
      }
      journal.putLedger(server, work, next);
      return next;
    },
  };
}

/** Without the rows of changed settings, which no driver undoes: they name objects that the job did not make. */
export function madeOnly(ledger: LedgerBook): LedgerBook {
  const { intend, settle } = ledger;
  return {
    get entries() {
      return ledger.entries.filter(({ action }) => action === 'create');
    },
    intend,
    settle,
  };
}

/** Rows that something may still be behind. */
export function unsettled(entries: readonly LedgerEntry[]): LedgerEntry[] {
  return entries.filter((entry) => entry.state === 'intent' || entry.state === 'made');
}

/** Now, but always later than before: by its time the server knows which of two states of a row is the newer one. */
export function timeAfter(before: string | undefined): string {
  const now = Date.now();
  return new Date(before === undefined ? now : Math.max(now, Date.parse(before) + 1)).toISOString();
}

/** @param known The row as it lies in the journal: a driver may still have it in hand as it was when it was intended. */
function settled(
  entry: LedgerEntry,
  state: LedgerEntry['state'],
  objectId: string | undefined,
  known: LedgerEntry | undefined,
): LedgerEntry {
  const id = objectId ?? entry.objectId;
  return { ...entry, state, ...(id === undefined ? {} : { objectId: id }), at: timeAfter((known ?? entry).at) };
}
