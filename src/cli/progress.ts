import { setTimeout as sleep } from 'node:timers/promises';
import type { JobView } from '../protocol/api/jobs.ts';
import type { Client } from '../protocol/client.ts';
import { bytesText, printable, printJson, secondsText } from './output.ts';

const ENDS = new Set(['succeeded', 'failed', 'cancelled']);

/**
 * Follows a job to its end: a bar on a terminal, a line per change elsewhere, a line of JSON per change with `json`.
 * A server that is away for a while is waited for: the job goes on without us.
 */
export async function followJob(client: Client, id: string, json: boolean, signal: AbortSignal): Promise<JobView> {
  let last = '';
  const terminal = !json && process.stderr.isTTY === true;
  for (;;) {
    const job = await client.getJob({ job: id }, signal).catch((error) => {
      if (error?.retry === 'soon') return undefined;
      throw error;
    });
    const key = job === undefined ? 'away' : JSON.stringify([job.state, job.steps, job.progress]);
    if (job === undefined) {
      if (!json && key !== last) process.stderr.write('the server does not answer; waiting for it (the job goes on)\n');
    } else if (json) {
      if (key !== last)
        printJson({
          job: job.number,
          state: job.state,
          step: stepOf(job),
          progress: job.progress,
          bytesPerSecond: job.bytesPerSecond,
          etaSeconds: job.etaSeconds,
        });
    } else if (terminal) process.stderr.write(`\r\u001b[K${barOf(job, process.stderr.columns ?? 80)}`);
    else if (key !== last) process.stderr.write(`${barOf(job, 200)}\n`);
    last = key;
    if (job !== undefined && ENDS.has(job.state)) {
      if (terminal) process.stderr.write('\n');
      return job;
    }
    await sleep(terminal || json ? 400 : 1500, undefined, { signal });
  }
}

function stepOf(job: JobView): string {
  const { steps } = job;
  const step =
    steps.find((one) => one.state === 'running') ??
    steps.findLast((one) => one.state === 'failed') ??
    steps.findLast((one) => one.state === 'done');
  return step === undefined
    ? job.state
    : step.text === undefined || step.text === ''
      ? step.name
      : `${step.name}: ${step.text}`;
}

function barOf(job: JobView, columns: number): string {
  const { progress } = job;
  if (progress === undefined || progress.totalBytes === 0)
    return printable(`#${job.number} ${job.state}  ${stepOf(job)}`).slice(0, columns - 1);
  const part = Math.min(1, progress.doneBytes / progress.totalBytes);
  const width = 24;
  const filled = Math.round(part * width);
  const rate = job.bytesPerSecond === undefined ? '' : `  ${bytesText(job.bytesPerSecond)}/s`;
  const eta = job.etaSeconds === undefined ? '' : `  ETA ${secondsText(job.etaSeconds)}`;
  const line = `#${job.number} [${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${(part * 100).toFixed(0).padStart(3)}%  ${bytesText(progress.doneBytes)} of ${bytesText(progress.totalBytes)}${rate}${eta}  ${stepOf(job)}`;
  return printable(line).slice(0, columns - 1);
}
