import { delay } from '../../base/backoff.ts';
import { releaseJob } from '../store/servers.ts';
import type { JobContext } from './context.ts';
import type { Engine } from './engine.ts';

const AGAIN_MILLISECONDS = 1_000;

/**
 * Has a run of a job begin that this server wrote down as its own. Where that fails nobody has the job: a takeover finds it,
 * as soon as the database can be told so.
 */
export async function beginRun(
  context: Pick<JobContext, 'database' | 'fleet' | 'closing'>,
  engine: Pick<Engine, 'start'>,
  { id, epoch }: { id: string; epoch: number },
  run: string,
  workflow?: 'copy' | 'undo',
): Promise<void> {
  try {
    await engine.start(run, id, workflow);
  } catch (error) {
    void release(context, id, epoch).catch(() => {});
    throw error;
  }
}

async function release({ database, fleet, closing }: Parameters<typeof beginRun>[0], job: string, epoch: number) {
  for (;;) {
    try {
      return await releaseJob(database, job, fleet.id, epoch);
    } catch {
      await delay(AGAIN_MILLISECONDS, closing);
    }
  }
}
