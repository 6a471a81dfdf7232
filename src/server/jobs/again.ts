import { Fault } from '../../model/fault.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import type { JobRow } from '../store/jobs.ts';

type Known = Pick<JobView, 'number' | 'state'> & { result?: Pick<NonNullable<JobRow['result']>, 'object'> | null };

/** Whether a job may be run once more. Fault `job.state`. */
export const refuseAgain = {
  resume({ number, state }: Known): void {
    if (state === 'paused') return;
    throw new Fault('job.state', `job ${number} is ${state}: only a paused job is resumed`);
  },
  retry({ number, state, result = null }: Known): void {
    if (state !== 'failed' && state !== 'cancelled') {
      throw new Fault('job.state', `job ${number} is ${state}: only failed and cancelled jobs are retried`);
    }
    if (result === null) return;
    throw new Fault('job.state', `job ${number} has made its copy already: ${result.object.path}`, {
      remedy: 'Power it on, or start a new copy.',
    });
  },
};
