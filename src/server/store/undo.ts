import type { AsMade } from '../../model/removal.ts';
import type { UndoView } from '../../protocol/api/undo.ts';
import type { Database } from './database.ts';
import { ENDED } from './jobs.ts';

/** How the result of a copy was when it was kept. The first word stands: a step that runs again reads a later state. */
export async function writeMade({ query }: Database, owner: string, job: string, made: AsMade): Promise<void> {
  await query('INSERT INTO made (job, owner, data) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [job, owner, made]);
}

export async function readMade({ query }: Database, job: string): Promise<AsMade | undefined> {
  const [row] = await query<{ data: AsMade }>('SELECT data FROM made WHERE job = $1', [job]);
  return row?.data;
}

/**
 * The server has the job from then on. False unless it has ended, is not being undone, and the source of its move is not
 * being deleted.
 */
export async function beginUndo(
  { query }: Database,
  job: string,
  { epoch, server }: { epoch: number; server: string },
  undo: UndoView,
): Promise<boolean> {
  const rows = await query(
    `UPDATE jobs SET undo = $2, epoch = $3, server = $5, server_at = now()
     WHERE id = $1 AND state = ANY($4) AND coalesce(undo->>'state', '') <> 'running'
       AND NOT EXISTS (SELECT FROM moves WHERE job = $1 AND deleting) RETURNING id`,
    [job, undo, epoch, ENDED, server],
  );
  return rows.length > 0;
}
