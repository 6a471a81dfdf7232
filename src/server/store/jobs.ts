import type { z } from 'zod';
import type { Check } from '../../model/check.ts';
import { Fault } from '../../model/fault.ts';
import type { JobFailure, JobResult, JobState, JobStep, TransferProgress } from '../../model/job.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { Receipt } from '../../model/receipt.ts';
import type { CopyRequestSchema } from '../../protocol/api/jobs.ts';
import type { UndoView } from '../../protocol/api/undo.ts';
import type { CopyPlan } from '../jobs/preflight.ts';
import type { Database, Query } from './database.ts';
import type { Move } from './moves.ts';

export type CopyOrder = z.output<typeof CopyRequestSchema>;

export interface JobRow {
  id: string;
  /** The installation's id, or that of the tenant to whom both clouds belong. */
  owner: string;
  number: number;
  kind: CopyOrder['kind'];
  account: string;
  title: string;
  request: CopyOrder;
  /** Ids of the clouds that it works with. */
  clouds: string[];
  marker: string;
  state: JobState;
  attempt: number;
  epoch: number;
  /** The run of a server that has it; null before any has. */
  server: string | null;
  cancel_wanted: boolean;
  pause_wanted: boolean;
  /** This attempt goes on where a pause left off. */
  resumed: boolean;
  /** What a paused attempt had set out to do: by it the next one knows what may have been left. */
  plan: CopyPlan | null;
  steps: JobStep[];
  checks: Check[];
  progress: TransferProgress | null;
  result: JobResult | null;
  failure: JobFailure | null;
  receipt: Receipt | null;
  /** How an undo that somebody asked for after the end stands. */
  undo: UndoView | null;
  /** Of a move whose source was set aside. */
  move: Move | null;
  group: { number: number; wave: number } | null;
  /** In memory: why it is still queued. */
  waits_for?: string;
  created_at: Date;
  started_at: Date | null;
  ended_at: Date | null;
}

export const ENDED: readonly JobState[] = ['succeeded', 'failed', 'cancelled'];

const COLUMNS = `j.id, j.owner, j.number::integer AS number, j.kind, j.account, j.title, j.request, j.clouds, j.marker, j.state,
  j.attempt, j.epoch, j.server, j.cancel_wanted, j.pause_wanted, j.resumed, j.plan, j.steps, j.checks, j.progress, j.result, j.failure, j.undo,
  r.data AS receipt, CASE WHEN m.job IS NULL THEN NULL ELSE to_jsonb(m) END AS move,
  CASE WHEN g.id IS NULL THEN NULL ELSE jsonb_build_object('number', g.number, 'wave', q.wave) END AS "group",
  j.created_at, j.started_at, j.ended_at`;
const FROM = `FROM jobs j LEFT JOIN receipts r ON r.job = j.id LEFT JOIN moves m ON m.job = j.id
  LEFT JOIN job_queue q ON q.job = j.id LEFT JOIN job_groups g ON g.id = q.job_group`;

export async function readJob({ query }: Database, job: string): Promise<JobRow | null> {
  const byNumber = /^\d{1,9}$/.test(job);
  const rows = await query<JobRow>(
    `SELECT ${COLUMNS} ${FROM} WHERE ${byNumber ? 'j.number = $1::bigint' : 'j.id = $1'}`,
    [job],
  );
  return rows[0] ?? null;
}

export interface JobFilter {
  states: string[] | null;
  user: string | null;
  /** Part of the title. */
  text: string | null;
  /** Only those with a lower number. */
  below: number | null;
}

/** The newest first. */
export async function readJobs(
  { query }: Database,
  filter: JobFilter,
  limit: number,
  ids?: string[],
): Promise<JobRow[]> {
  return query<JobRow>(
    `SELECT ${COLUMNS} ${FROM} WHERE ($1::text[] IS NULL OR j.state = ANY($1)) AND ($2::text IS NULL OR j.account = $2)
       AND ($3::text IS NULL OR strpos(lower(j.title), lower($3)) > 0) AND ($4::bigint IS NULL OR j.number < $4)
       AND ($6::text[] IS NULL OR j.id = ANY($6))
     ORDER BY j.number DESC LIMIT $5`,
    [filter.states, filter.user, filter.text, filter.below, limit, ids ?? null],
  );
}

export async function readUnended({ query }: Database): Promise<JobRow[]> {
  return query<JobRow>(`SELECT ${COLUMNS} ${FROM} WHERE NOT j.state = ANY($1) ORDER BY j.number`, [ENDED]);
}

type NewJob = Pick<
  JobRow,
  'id' | 'kind' | 'account' | 'title' | 'request' | 'clouds' | 'marker' | 'epoch' | 'steps' | 'server'
>;

export async function insertJob({ query }: Database, owner: string, job: NewJob): Promise<void> {
  await query(
    `INSERT INTO jobs (id, owner, kind, account, title, request, clouds, marker, epoch, steps, server, state)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'queued')`,
    [
      job.id,
      owner,
      job.kind,
      job.account,
      job.title,
      job.request,
      job.clouds,
      job.marker,
      job.epoch,
      JSON.stringify(job.steps),
      job.server,
    ],
  );
}

const JSON_COLUMNS = new Set(['steps', 'checks', 'progress', 'result', 'failure', 'plan', 'undo']);

/** Columns that may change. Their names are code, never input. */
export type JobChange = Partial<
  Omit<
    JobRow,
    | 'id'
    | 'owner'
    | 'number'
    | 'kind'
    | 'account'
    | 'title'
    | 'request'
    | 'clouds'
    | 'marker'
    | 'receipt'
    | 'move'
    | 'group'
    | 'waits_for'
    | 'created_at'
  >
>;

/** False where another epoch than this has begun: another server has the job. */
export async function writeJob({ query }: Database, job: string, change: JobChange, epoch: number): Promise<boolean> {
  if (Object.keys(change).length === 0) return true;
  const { sets, values } = assignments(change, 3);
  const rows = await query(`UPDATE jobs SET ${sets} WHERE id = $1 AND epoch = $2 RETURNING id`, [
    job,
    epoch,
    ...values,
  ]);
  return rows.length > 0;
}

/** Begins a further attempt; false where the job is at another attempt, in none of these states, or being undone. */
export async function writeJobAt(
  { query }: Database,
  job: string,
  attempt: number,
  states: readonly JobState[],
  change: JobChange,
): Promise<boolean> {
  const { sets, values } = assignments(change, 4);
  const rows = await query(
    `UPDATE jobs SET ${sets} WHERE id = $1 AND attempt = $2 AND state = ANY($3)
     AND coalesce(undo->>'state', '') <> 'running' RETURNING id`,
    [job, attempt, states, ...values],
  );
  return rows.length > 0;
}

function assignments(change: JobChange, first: number) {
  const entries = Object.entries(change);
  const sets = entries.map(([name], index) => `${name} = $${index + first}`).join(', ');
  const values = entries.map(([name, value]) =>
    JSON_COLUMNS.has(name) && value !== null ? JSON.stringify(value) : value,
  );
  return { sets, values };
}

/** False where the job has ended, or been paused, meanwhile. */
export async function wantCancel({ query }: Database, job: string): Promise<boolean> {
  const rows = await query(
    `UPDATE jobs SET cancel_wanted = true, state = 'cancelling' WHERE id = $1 AND NOT state = ANY($2) RETURNING id`,
    [job, [...ENDED, 'paused']],
  );
  return rows.length > 0;
}

/** False where there is nothing to pause (any more). */
export async function wantPause({ query }: Database, job: string): Promise<boolean> {
  const rows = await query(
    `UPDATE jobs SET pause_wanted = true, state = 'pausing'
     WHERE id = $1 AND state IN ('queued', 'running', 'waiting') RETURNING id`,
    [job],
  );
  return rows.length > 0;
}

/** Fault `epoch.stale` unless the job is still at this epoch. */
async function demandEpoch({ query }: Pick<Database, 'query'>, job: string, epoch: number): Promise<void> {
  const rows = await query('SELECT FROM jobs WHERE id = $1 AND epoch = $2', [job, epoch]);
  if (rows.length === 0) throw staleEpoch(job);
}

export function staleEpoch(job: string): Fault {
  return new Fault('epoch.stale', `another server has taken job ${job} over`);
}

/** False where it is to be cancelled instead. Fault `epoch.stale` where another server has the job. */
export async function writePaused(
  database: Database,
  job: string,
  epoch: number,
  plan: CopyPlan | null,
  progress: TransferProgress | null,
): Promise<boolean> {
  const rows = await database.query(
    `UPDATE jobs SET state = 'paused', plan = $3, progress = $4
     WHERE id = $1 AND epoch = $2 AND NOT cancel_wanted RETURNING id`,
    [job, epoch, ...[plan, progress].map((value) => (value === null ? null : JSON.stringify(value)))],
  );
  if (rows.length === 0) await demandEpoch(database, job, epoch);
  return rows.length > 0;
}

export async function writePriority({ query }: Database, job: string, priority: number): Promise<void> {
  await query(`UPDATE jobs SET request = jsonb_set(request, '{priority}', $2::jsonb) WHERE id = $1`, [
    job,
    String(priority),
  ]);
}

export async function writeReceipt({ query }: Database, owner: string, job: string, receipt: Receipt): Promise<void> {
  await query(
    'INSERT INTO receipts (job, owner, data) VALUES ($1, $2, $3) ON CONFLICT (job) DO UPDATE SET data = $3, at = now()',
    [job, owner, receipt],
  );
}

export interface LogLine {
  at: string;
  level: 'info' | 'warn' | 'error';
  text: string;
  /** Running number at its source, so that a line told twice is stored once. */
  number?: number;
}

export async function addLines(database: Database, job: string, source: string, lines: LogLine[]): Promise<void> {
  if (lines.length === 0) return;
  await database.transaction(async (query) => {
    await query('SELECT FROM jobs WHERE id = $1 FOR UPDATE', [job]);
    for (const line of lines) await addLine(query, job, source, line);
  });
}

async function addLine(query: Query, job: string, source: string, { at, level, text, number }: LogLine): Promise<void> {
  await query(
    `INSERT INTO job_log (job, number, at, level, source, source_number, text)
     SELECT $1, coalesce((SELECT max(number) FROM job_log WHERE job = $1), 0) + 1, $2, $3, $4, $5, $6
     ON CONFLICT DO NOTHING`,
    [job, at, level, source, number ?? null, text],
  );
}

export async function readLines({ query }: Database, job: string, after: number, limit = 2000) {
  const rows = await query<{
    number: number;
    at: Date;
    level: 'info' | 'warn' | 'error';
    source: string;
    text: string;
  }>('SELECT number, at, level, source, text FROM job_log WHERE job = $1 AND number > $2 ORDER BY number LIMIT $3', [
    job,
    after,
    limit,
  ]);
  return rows.map(({ number, at, level, source, text }) => ({
    number,
    at: at.toISOString(),
    level,
    from: source,
    text,
  }));
}

/** Copies rows of a node's ledger; the newest state of a row wins. */
export async function putLedger({ query }: Database, job: string, entries: LedgerEntry[]): Promise<void> {
  for (const entry of entries) {
    await query(
      `INSERT INTO ledger (job, id, owner, cloud, data, at) SELECT id, $2, owner, $3, $4, $5 FROM jobs WHERE id = $1
       ON CONFLICT (job, id) DO UPDATE SET data = excluded.data, at = excluded.at WHERE ledger.at <= excluded.at`,
      [job, entry.id, entry.cloud, entry, entry.at],
    );
  }
}

export async function readLedger({ query }: Database, job: string): Promise<LedgerEntry[]> {
  const rows = await query<{ data: LedgerEntry }>('SELECT data FROM ledger WHERE job = $1 ORDER BY at, id', [job]);
  return rows.map(({ data }) => data);
}
