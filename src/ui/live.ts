import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { JobView } from '../protocol/api/jobs.ts';
import { listen } from './server.ts';

/** A short break is nobody's business. */
const AWAY_MILLISECONDS = 1_000;
/** A cloud in which much happens is read at most this often. */
const INVENTORY_MILLISECONDS = 1_000;

/** Keeps every query in step with the server's events; gives whether the server is heard. */
export function useLive(enabled: boolean): boolean {
  const queries = useQueryClient();
  const [heard, setHeard] = useState(true);
  useEffect(() => {
    if (!enabled) return undefined;
    const inventory = createInventoryReader(queries);
    let away: ReturnType<typeof setTimeout> | undefined;
    const stop = listen(
      (event) => {
        if (event.type === 'job') {
          queries.setQueryData(['job', event.job.id], event.job);
          queries.setQueryData(['jobs'], (jobs: JobView[] | undefined) => mergeJob(jobs, event.job));
        } else if (event.type === 'inventory') inventory.read(event.cloud);
        else void queries.invalidateQueries({ queryKey: event.type.startsWith('node') ? ['nodes'] : ['clouds'] });
      },
      (open) => {
        clearTimeout(away);
        away = undefined;
        if (open) {
          setHeard(true);
          void queries.invalidateQueries();
        } else {
          away = setTimeout(() => setHeard(false), AWAY_MILLISECONDS);
          // Tells an ended session from a server that is away.
          void queries.invalidateQueries({ queryKey: ['me'] });
        }
      },
    );
    return () => {
      clearTimeout(away);
      inventory.stop();
      stop();
    };
  }, [enabled, queries]);
  return heard;
}

function createInventoryReader(queries: QueryClient) {
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const last = new Map<string, number>();
  const readNow = (cloud: string) => {
    timers.delete(cloud);
    last.set(cloud, Date.now());
    void queries.invalidateQueries({ queryKey: ['objects', cloud] });
  };
  return {
    read(cloud: string) {
      if (timers.has(cloud)) return;
      const wait = (last.get(cloud) ?? 0) + INVENTORY_MILLISECONDS - Date.now();
      timers.set(cloud, setTimeout(readNow, Math.max(0, wait), cloud));
    },
    stop() {
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

function mergeJob(jobs: JobView[] | undefined, job: JobView): JobView[] | undefined {
  if (jobs === undefined) return undefined;
  return jobs.some((one) => one.id === job.id) ? jobs.map((one) => (one.id === job.id ? job : one)) : [job, ...jobs];
}
