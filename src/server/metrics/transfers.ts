import type { TransferProgress } from '../../model/job.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import type { Clouds } from '../clouds.ts';
import type { Events } from '../events.ts';
import type { Records } from '../jobs/record.ts';
import type { Nodes } from '../nodes.ts';
import { ENDED } from '../store/jobs.ts';
import type { Instruments } from './registry.ts';

interface Followed {
  pair: { source_node: string; destination_node: string };
  progress: Partial<TransferProgress>;
  bytesPerSecond: number;
}

const PARTS = ['doneBytes', 'wireBytes', 'zeroBytes', 'alreadyThereBytes', 'resentBytes'] as const;

/**
 * Counts what jobs move from what is told about them. A job that an earlier process began is counted from where this one
 * found it, so that nothing is counted twice.
 */
export function countTransfers(
  { transfer, rate }: Pick<Instruments, 'transfer' | 'rate'>,
  {
    events,
    clouds,
    nodes,
    records,
  }: { events: Events; clouds: Clouds; nodes: Nodes; records: Pick<Records, 'running'> },
) {
  const followed = new Map<string, Followed>();
  const begun = Date.now();

  const nodeOf = (cloud = ''): string => {
    try {
      return nodes.get(clouds.get(cloud).node).name;
    } catch {
      return 'unknown';
    }
  };

  const follow = (job: JobView): Followed => {
    const ends = records.running(job.id)?.row.clouds ?? [];
    const pair = { source_node: nodeOf(ends[0]), destination_node: nodeOf(ends.at(-1)) };
    const old = Date.parse(job.createdAt) < begun;
    const known: Followed = { pair, progress: old ? (job.progress ?? {}) : {}, bytesPerSecond: 0 };
    followed.set(job.id, known);
    for (const part of PARTS) transfer[part].inc(pair, 0);
    return known;
  };

  events.subscribeOwn((event) => {
    if (event.type !== 'job') return;
    const { job } = event;
    const known = followed.get(job.id) ?? follow(job);
    for (const part of PARTS) {
      const step = (job.progress?.[part] ?? 0) - (known.progress[part] ?? 0);
      if (step > 0) transfer[part].inc(known.pair, step);
    }
    known.progress = job.progress ?? {};
    known.bytesPerSecond = job.state === 'running' ? (job.bytesPerSecond ?? 0) : 0;
    if (ENDED.includes(job.state)) followed.delete(job.id);
  });

  return {
    /** Brings the gauge of rates up to date. */
    measure(): void {
      rate.reset();
      for (const { pair, bytesPerSecond } of followed.values()) rate.inc(pair, bytesPerSecond);
    },
  };
}
