import type { Fleet } from '../fleet/fleet.ts';
import { type Orphan, takeOverJobs } from '../store/servers.ts';
import type { JobContext } from './context.ts';
import type { Engine } from './engine.ts';
import { undoRunOf } from './undoing.ts';

export interface TakeoverOptions {
  context: Pick<JobContext, 'database' | 'log'>;
  fleet: Pick<Fleet, 'id' | 'alone' | 'judges'>;
  engine: Pick<Engine, 'start' | 'resume' | 'status'>;
  runOf: (job: Pick<Orphan, 'id' | 'attempt'>) => string;
  /** The run has ended, and its job has not. */
  onLost: (orphan: Orphan, undo: boolean) => Promise<void>;
}

/**
 * Looks for jobs whose server is gone, and has them go on from their last step: on this server or on another one, whoever
 * is first. One survivor at a time does so.
 */
export function createTakeover({ context, fleet, engine, runOf, onLost }: TakeoverOptions) {
  const { database, log } = context;
  const offer = async (orphan: Orphan): Promise<void> => {
    const undo = orphan.undo?.state === 'running';
    const run = undo ? undoRunOf(orphan.id, orphan.undo?.run ?? 0) : runOf(orphan);
    const status = await engine.status(run);
    log.info({ job: orphan.id, number: orphan.number, run, status }, 'a job without a server is taken over');
    if (status === null) await engine.start(run, orphan.id, undo ? 'undo' : 'copy');
    else if (status === 'open') await engine.resume(run);
    else await onLost(orphan, undo);
  };
  return {
    /** At the start of a server that has the database for itself: whatever has not ended. */
    begin: () => (fleet.alone ? takeOverJobs(database, { id: fleet.id, all: true }, offer) : Promise.resolve(false)),
    async look(): Promise<void> {
      if (fleet.judges) await takeOverJobs(database, { id: fleet.id, all: false }, offer);
    },
  };
}
