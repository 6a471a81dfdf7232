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

async function pauseAndResume({ database }: JobContext, jobs: Pick<Jobs, 'pause' | 'resume'>): Promise<void> {
  const byWindow = new Set(await readWindowPaused(database));
  for (const { id, state, request } of await readUnended(database)) {
    const { schedule } = request;
    if (schedule?.atEnd !== 'pause') continue;
    const open = isOpen(schedule, Date.now());
    if (!open && (state === 'running' || state === 'waiting')) {
      await writeWindowPaused(database, id, true);
      // One that has moved everything ends in a moment.
      await jobs.pause(id).catch(() => writeWindowPaused(database, id, false));
    } else if (open && state === 'paused' && byWindow.has(id)) {
      await writeWindowPaused(database, id, false);
      await jobs.resume(id).catch(() => {});
    }
  }
}
