import { Fault } from '../../model/fault.ts';
import type { Database } from '../store/database.ts';

/** Fault `object.in-use` while a job that has not ended works with the cloud, as anybody. */
export async function refuseWhileUsed({ query }: Database, cloud: string, name: string): Promise<void> {
  const rows = await query<{ number: string }>(
    `SELECT number FROM jobs WHERE EXISTS (SELECT FROM unnest(clouds) c WHERE c = $1 OR split_part(c, '~', 1) = $1) AND state NOT IN ('succeeded', 'failed', 'cancelled') ORDER BY number`,
    [cloud],
  );
  if (rows.length === 0) return;
  const numbers = rows.map(({ number }) => number);
  throw new Fault('object.in-use', `${name} is used by job ${numbers.join(', ')}`, {
    remedy: 'Wait for the job, or cancel it.',
    details: { jobs: numbers },
  });
}
