import type { Database } from './database.ts';

/** Where a job reads and writes, and who wants it: what decides who may see and change it. */
export interface JobPlaces {
  /** Ids of the accounts that started it, and that started its last attempt. */
  account: string;
  runner: string;
  source_cloud: string;
  /** Ids from the cloud's root down to the object, as they were at the start: the object may be gone later. */
  source: string[];
  destination_cloud: string;
  destination: string[];
}

const COLUMNS = 'p.account, p.runner, p.source_cloud, p.source, p.destination_cloud, p.destination';

/** Null places are those of a job of an earlier release. */
export interface PlacedJob {
  id: string;
  number: number;
  places: JobPlaces | null;
}

type Row = { id: string; number: number } & { [Key in keyof JobPlaces]: JobPlaces[Key] | null };

function placedOf({ id, number, ...places }: Row): PlacedJob {
  return { id, number, places: places.account === null ? null : (places as JobPlaces) };
}

export async function insertPlaces({ query }: Database, job: string, places: JobPlaces): Promise<void> {
  await query(
    `INSERT INTO job_places (job, account, runner, source_cloud, source, destination_cloud, destination)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [
      job,
      places.account,
      places.runner,
      places.source_cloud,
      places.source,
      places.destination_cloud,
      places.destination,
    ],
  );
}

export async function writeRunner({ query }: Database, job: string, runner: string): Promise<void> {
  await query('UPDATE job_places SET runner = $2 WHERE job = $1', [job, runner]);
}

/** By id or number. */
export async function readPlaces({ query }: Database, job: string): Promise<PlacedJob | null> {
  const byNumber = /^\d{1,9}$/.test(job);
  const [row] = await query<Row>(
    `SELECT j.id, j.number::integer AS number, ${COLUMNS} FROM jobs j LEFT JOIN job_places p ON p.job = j.id
     WHERE ${byNumber ? 'j.number = $1::bigint' : 'j.id = $1'}`,
    [job],
  );
  return row === undefined ? null : placedOf(row);
}

/** Of all jobs in these states, newest first. */
export async function readAllPlaces({ query }: Database, states: string[] | null): Promise<PlacedJob[]> {
  const rows = await query<Row>(
    `SELECT j.id, j.number::integer AS number, ${COLUMNS} FROM jobs j LEFT JOIN job_places p ON p.job = j.id
     WHERE $1::text[] IS NULL OR j.state = ANY($1) ORDER BY j.number DESC`,
    [states],
  );
  return rows.map(placedOf);
}
