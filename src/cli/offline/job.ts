import { Fault } from '../../model/fault.ts';
import type { CopyRequest, JobView } from '../../protocol/api/jobs.ts';
import type { Client } from '../../protocol/client.ts';
import { printLine } from '../output.ts';
import { followJob } from '../progress.ts';
import type { Carrier } from './carrier.ts';

const RUNNING = new Set(['queued', 'running', 'waiting', 'cancelling']);

export interface Carriage {
  client: Client;
  carrier: Carrier;
  request: CopyRequest;
  json: boolean;
  /** The command that goes on after an interruption. */
  again: string;
  /** Called when the job has ended, before the carrying node is forgotten. */
  finish(job: JobView): Promise<void>;
}

/**
 * Runs the copy job of an export or import to its end: a new one, or the one that an interrupted command began. When it
 * succeeded, or failed with nothing to go on with, the carrying node is forgotten (`left`). Ctrl-C leaves everything so
 * that the same command goes on.
 */
export async function carry(carriage: Carriage): Promise<{ job: JobView; left: boolean }> {
  const { client, carrier, request, json, again, finish } = carriage;
  const text = JSON.stringify({
    ...request,
    source: objectOf(request.source),
    destination: objectOf(request.destination),
  });
  const job = await begin(client, carrier, request, text, json);
  const stop = new AbortController();
  const interrupt = () => {
    const cancel = `cloudspan jobs cancel ${job.number}`;
    process.stderr.write(`\ninterrupted; to go on: ${again}\nto give it up: ${cancel}\n`);
    stop.abort(
      new Fault('job.state', `job ${job.number} waits for this machine`, {
        remedy: `Go on with: ${again}; give it up with: ${cancel}`,
      }),
    );
  };
  process.once('SIGINT', interrupt);
  let ended: JobView;
  try {
    ended = await followJob(client, job.id, json, stop.signal);
  } finally {
    process.off('SIGINT', interrupt);
  }
  await finish(ended);
  const arrived = ended.progress?.disks.some(({ arrivedBytes }) => arrivedBytes > 0) ?? false;
  const left = ended.state !== 'failed' || !arrived || ended.failure?.retry === 'never';
  if (left) await carrier.leave();
  else if (!json) printLine(`What was carried so far is kept; to go on: ${again}`);
  return { job: ended, left };
}

async function begin(
  client: Client,
  carrier: Carrier,
  request: CopyRequest,
  text: string,
  json: boolean,
): Promise<JobView> {
  const { job, request: before } = carrier.state;
  if (job !== undefined) {
    const known = await client.getJob({ job });
    if (before === text) {
      const end = known.state === 'failed' || known.state === 'cancelled';
      if (!json) printLine(`job ${known.number} goes on where it was interrupted`);
      return end ? client.retryJob({ job }) : known;
    }
    if (RUNNING.has(known.state)) {
      throw new Fault('job.state', `another job of this folder is not over: ${known.title}`, {
        remedy: `Repeat the command that began it, or give it up: cloudspan jobs cancel ${known.number}`,
      });
    }
  }
  const started = await client.startJob({ body: request });
  await carrier.keep({ job: started.id, request: text });
  return started;
}

/** The carrying cloud is called otherwise each time; what is asked for is the same. */
function objectOf(path: string): string {
  return path.replace(/^offline-[0-9a-f]{8}(?=\/|$)/, 'offline');
}
