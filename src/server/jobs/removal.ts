import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { Verdict } from '../../model/removal.ts';
import type { UndoRow } from '../../protocol/api/undo.ts';
import { type JobRow, readLedger } from '../store/jobs.ts';
import { readMade } from '../store/undo.ts';
import type { JobContext } from './context.ts';
import { holderOf } from './holders.ts';

/** What an undo has to do in one cloud. */
export interface CloudRemoval {
  cloud: string;
  rows: { entry: LedgerEntry; held?: string }[];
}

/** The rows of a job by cloud, newest first, each with what only the server knows to speak against its removal. */
export async function planRemoval(context: JobContext, row: JobRow, signal: AbortSignal): Promise<CloudRemoval[]> {
  const entries = await readLedger(context.database, row.id);
  const removals: CloudRemoval[] = [];
  const inUse = entries.some(isSetting) ? await resultInUse(context, row, signal) : undefined;
  for (const cloud of new Set(entries.map((entry) => entry.cloud))) {
    const rows: CloudRemoval['rows'] = [];
    // The source of a move is set back before its result may go.
    const ofCloud = entries.filter((one) => one.cloud === cloud).toReversed();
    for (const entry of [...ofCloud.filter(isSetting), ...ofCloud.filter((one) => !isSetting(one))]) {
      const held = isSetting(entry) ? inUse : await heldBy(context, row, entry, signal);
      rows.push(held === undefined ? { entry } : { entry, held });
    }
    removals.push({ cloud, rows });
  }
  const settingsIn = ({ rows }: CloudRemoval) => Number(rows.some(({ entry }) => isSetting(entry)));
  return removals.toSorted((one, other) => settingsIn(other) - settingsIn(one));
}

export function isSetting({ action }: Pick<LedgerEntry, 'action'>): boolean {
  return action === 'change';
}

/** Why the source of a move has to stay set aside: the machine that moved runs, and there shall not be two of it. */
async function resultInUse({ clouds }: JobContext, row: JobRow, signal: AbortSignal): Promise<string | undefined> {
  const { result } = row;
  if (result === null) return undefined;
  const { name, id: object, cloud: named } = result.object;
  try {
    const { seen } = await clouds.use(row.clouds.at(-1) ?? '', (node, cloud) => node.lookAt({ cloud, object }, signal));
    if (seen === null || seen.power === 'off') return undefined;
    return `what moved runs as "${name}" in ${named} (${seen.power}), and there shall not be two of it`;
  } catch (error) {
    signal.throwIfAborted();
    return `whether "${name}" in ${named} runs could not be seen: ${Fault.from(error, named).message}`;
  }
}

async function heldBy(
  context: JobContext,
  row: JobRow,
  { cloud, objectId, state }: LedgerEntry,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (state !== 'kept' || objectId === undefined) return undefined;
  const holder = await holderOf(context, cloud, objectId);
  return holder === undefined ? lastCopy(context, row, signal) : `${holder} uses it`;
}

/** Why the copy may be the last one of its content: its source is gone, differs, or cannot be looked at. */
async function lastCopy({ clouds }: JobContext, row: JobRow, signal: AbortSignal): Promise<string | undefined> {
  const { receipt } = row;
  if (receipt === null) return 'there is no receipt by which its source could be known again';
  const { cloud, object, name, version } = receipt.source;
  const source = `its source "${name}" in ${cloud}`;
  try {
    const { seen } = await clouds.use(row.clouds[0] ?? '', (node, id) => node.lookAt({ cloud: id, object }, signal));
    if (seen === null) return `${source} is not there any more: this may be the last copy`;
    if (seen.power !== 'off') return `${source} is not off, so it differs: this is the last copy of what it was`;
    // A source that was set aside reads otherwise than when it was read.
    if (seen.version !== (row.move?.version ?? version))
      return `${source} has changed since: this may be the last copy of what it was`;
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return `whether ${source} is still the same could not be seen: ${Fault.from(error, cloud).message}`;
  }
}

/** What an undo would do, by looking only. A cloud that does not answer makes its rows `unknown`. */
export async function previewRemoval(context: JobContext, row: JobRow, signal: AbortSignal): Promise<UndoRow[]> {
  const rows: UndoRow[] = [];
  for (const removal of await planRemoval(context, row, signal)) {
    try {
      const body = { rows: await completed(context, row, removal) };
      const { verdicts } = await context.clouds.use(removal.cloud, (node, cloud) =>
        node.checkRemoval({ cloud, body }, signal),
      );
      rows.push(...undoRows(context, removal, verdicts));
    } catch (error) {
      signal.throwIfAborted();
      rows.push(...undoRows(context, removal, [], 'unknown', Fault.from(error, 'undo').message));
    }
  }
  return rows;
}

/** With how the result was: it stays in its table, where a durable step has no room for it. */
export async function completed({ database }: JobContext, { id }: JobRow, { rows }: CloudRemoval) {
  const made = await readMade(database, id);
  return rows.map((row) => (row.entry.state === 'kept' && made !== undefined ? { ...row, made } : row)) as never;
}

/** Verdicts for people; rows without one have the outcome and the reason that are given for all. */
export function undoRows(
  { clouds }: JobContext,
  { cloud, rows }: CloudRemoval,
  verdicts: readonly Verdict[],
  outcome: 'unknown' | 'left' = 'left',
  reason = 'the node told nothing about it',
): UndoRow[] {
  const name = clouds.nameOf(cloud) ?? cloud;
  return rows.map(({ entry }) => {
    const verdict = verdicts.find(({ row }) => row === entry.id);
    const object = verdict?.object ?? entry.objectId;
    return {
      id: entry.id,
      cloud: name,
      kind: entry.kind,
      role: entry.role,
      name: entry.name,
      ...(object === undefined ? {} : { object }),
      outcome: verdict?.outcome ?? outcome,
      reason: verdict?.reason ?? reason,
    };
  });
}
