import { Fault } from '../../model/fault.ts';
import { faultKinds } from '../../model/fault-kinds.ts';
import type { JobView } from '../../protocol/api/jobs.ts';

/** In the place of every name that is not told. */
export const NOT_SHOWN = '(not shown)';

/** Which ends of a job somebody sees now. */
export interface ShownEnds {
  source: boolean;
  destination: boolean;
  /**
   * Name of the cloud whose rows of the ledger are told where only one end is seen: that of the seen end. Null where both
   * ends lie in one cloud, which then says nothing about the end.
   */
  cloud: string | null;
}

/**
 * A job without the names of the end that is not seen. Sentences of nodes and drivers (steps, checks, faults) may name
 * either end, so they are left out as a whole; a receipt is left out because without its names nobody can check it.
 */
export function shownJob(job: JobView, ends: ShownEnds): JobView {
  if (ends.source && ends.destination) return job;
  const {
    result,
    failure,
    receipt: _receipt,
    progress,
    undo,
    checks,
    steps,
    movedSource,
    title: _title,
    ...rest
  } = job;
  return {
    ...rest,
    title: titleOf(job, ends),
    source: ends.source ? job.source : NOT_SHOWN,
    destination: ends.destination ? job.destination : NOT_SHOWN,
    hidden: [...(ends.source ? [] : ['source' as const]), ...(ends.destination ? [] : ['destination' as const])],
    steps: steps.map(({ text: _text, ...step }) => step),
    checks: checks.map(({ name, outcome }) => ({ name, outcome, found: NOT_SHOWN })),
    ...(progress === undefined ? {} : { progress: { ...progress, disks: progress.disks.map(unnamed) } }),
    ...(result === undefined || !ends.destination ? {} : { result: { ...result, differences: [] } }),
    ...(failure === undefined
      ? {}
      : { failure: { ...plainFault(failure), leftovers: failure.leftovers.map(() => NOT_SHOWN) } }),
    ...(movedSource === undefined ? {} : { movedSource: withoutRefusal(movedSource) }),
    ...(undo === undefined
      ? {}
      : {
          undo: {
            ...undo,
            rows: shownRows(undo.rows, ends),
            ...(undo.fault === undefined ? {} : { fault: plainFault(undo.fault) }),
          },
        }),
  };
}

/** Rows of a ledger, or of an undo, that belong to the end that is seen. `cloud` is a name here. */
export function shownRows<Row extends { cloud: string }>(rows: Row[], ends: ShownEnds): Row[] {
  if (ends.source && ends.destination) return rows;
  return rows
    .filter(({ cloud }) => cloud === ends.cloud)
    .map((row) => ('reason' in row ? { ...row, reason: '' } : row));
}

/** What came of an action on a job, in words that name neither end. Of its state nothing but its number is ever told. */
export function shownFault(error: unknown, job: string, ends: ShownEnds): unknown {
  if ((ends.source && ends.destination) || !(error instanceof Fault) || error.code === 'job.state') return error;
  const { code, retry } = error;
  const { meaning, remedy } = faultKinds[code];
  return new Fault(code, `job ${job}: ${meaning}`, { remedy, retry });
}

/** Why it was not deleted is a sentence about the copy. */
function withoutRefusal({ refusal: _, ...moved }: NonNullable<JobView['movedSource']>) {
  return moved;
}

/** The code says what it was; the sentence would name objects. */
function plainFault<
  Report extends NonNullable<JobView['failure']> | NonNullable<NonNullable<JobView['undo']>['fault']>,
>({ code, retry }: Report) {
  const { meaning, remedy } = faultKinds[code];
  return { code, retry, message: meaning, remedy };
}

function unnamed(disk: NonNullable<JobView['progress']>['disks'][number], index: number) {
  return { ...disk, disk: `disk-${index + 1}`, label: `Disk ${index + 1}` };
}

/** `Copy vm "web" to b/DC/vm` as far as it can be told. */
function titleOf({ title, destination }: JobView, ends: ShownEnds): string {
  const what = ends.source && title.endsWith(` to ${destination}`) ? title.slice(0, -destination.length - 4) : 'Copy';
  return `${what}${ends.source ? '' : ` of ${NOT_SHOWN}`} to ${ends.destination ? destination : NOT_SHOWN}`;
}
