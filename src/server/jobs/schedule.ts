import { Fault } from '../../model/fault.ts';
import { readUnended } from '../store/jobs.ts';
import { readWindowPaused, writeWindowPaused } from '../store/queue.ts';
import type { JobContext } from './context.ts';
import { deleteDueSources } from './delete-source.ts';
import type { Jobs } from './jobs.ts';
import { isOpen } from './order.ts';

const LOOK_MILLISECONDS = 5_000;

/**
 * Pauses what runs beyond its window and wants that, resumes it in the next one, and deletes sources of moves that are
 * due. A job that somebody else paused is not resumed. Until the server closes.
 * @param ready False while the server is on hold: then nothing is touched.
 */
export function keepSchedule(context: JobContext, jobs: Pick<Jobs, 'pause' | 'resume'>, ready: () => boolean): void {
  const { closing, log } = context;
  let looking = false;
  const look = async () => {
    if (looking || !ready()) return;
    looking = true;
    try {
      await pauseAndResume(context, jobs);
      await deleteDueSources(context);
    } catch (error) {
      if (!closing.aborted)
        log.warn({ fault: Fault.from(error, 'schedule').report() }, 'the schedule was not looked at');
    }
    looking = false;
  };
  const timer = setInterval(() => void look(), LOOK_MILLISECONDS);
  timer.unref();
  closing.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/** One job that cannot be paused or resumed keeps no other from it; it is looked at again. */
export async function pauseAndResume(
  { database, log }: Pick<JobContext, 'database' | 'log'>,
  jobs: Pick<Jobs, 'pause' | 'resume'>,
): Promise<void> {
  const tell = (job: string, error: unknown) =>
    log.warn({ job, fault: Fault.from(error, 'schedule').report() }, 'a job does not follow its window');
  const byWindow = new Set(await readWindowPaused(database));
  for (const { id, state, request } of await readUnended(database)) {
    const { schedule } = request;
    if (schedule?.atEnd !== 'pause') continue;
    const open = isOpen(schedule, Date.now());
    if (!open && (state === 'running' || state === 'waiting')) {
      await jobs.pause(id, true).catch(async (error: unknown) => {
        // One that has moved everything ends in a moment.
        if (!(error instanceof Fault) || error.code !== 'job.state') return tell(id, error);
        await writeWindowPaused(database, id, false);
      });
    } else if (open && state === 'paused' && byWindow.has(id)) {
      await jobs.resume(id).catch((error: unknown) => tell(id, error));
    }
  }
}
