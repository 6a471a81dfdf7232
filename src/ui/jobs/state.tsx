import { Badge, Progress } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { JobView } from '../../protocol/api/jobs.ts';
import { words } from '../words.ts';

const COLOR: Record<JobView['state'], string> = {
  queued: 'gray',
  running: 'blue',
  waiting: 'yellow',
  pausing: 'gray',
  paused: 'gray',
  cancelling: 'orange',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'gray',
};

const GOING: readonly JobView['state'][] = ['queued', 'running', 'waiting', 'pausing', 'paused', 'cancelling'];

export const isGoing = (job: JobView) => GOING.includes(job.state);

export function StateBadge({ state }: { state: JobView['state'] }) {
  return (
    <Badge color={COLOR[state]} style={{ flex: 'none' }}>
      {words.jobs.states[state]}
    </Badge>
  );
}

export function JobBar({ job, size = 'md' }: { job: JobView; size?: 'md' | 'lg' }) {
  return (
    <Progress
      value={partOf(job)}
      size={size}
      color={COLOR[job.state]}
      animated={job.state === 'running'}
      aria-label={`${words.jobs.progress} #${job.number}`}
    />
  );
}

/** Percent. */
export function partOf(job: JobView): number {
  if (job.state === 'succeeded') return 100;
  const { progress } = job;
  if (progress === undefined || progress.totalBytes === 0) return 0;
  return Math.min(100, (progress.doneBytes / progress.totalBytes) * 100);
}

/** Milliseconds now, every second anew while something goes on. */
export function useNow(going: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!going) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [going]);
  return now;
}
