import { JobSchema } from '../../protocol/api/jobs.ts';
import type { Clouds } from '../clouds.ts';
import type { Events } from '../events.ts';
import type { Records } from '../jobs/record.ts';
import type { Nodes } from '../nodes.ts';
import type { Database } from '../store/database.ts';
import { countJobs } from '../store/jobs-count.ts';
import { VERSION } from '../version.ts';
import { createRegistry } from './registry.ts';
import { countTransfers } from './transfers.ts';

const CLOUD_STATES = ['connected', 'connecting', 'failed'] as const;
/** A scrape waits no longer than this for the database. */
const DATABASE_MILLISECONDS = 3_000;

export interface Metrics {
  readonly contentType: string;
  /** Everything as it is now, in Prometheus's text format. Never fails for the database's sake: it says so instead. */
  text(): Promise<string>;
  /** One request was answered. */
  request(operation: string, status: number, seconds: number): void;
}

export function createMetrics(parts: {
  database: Database;
  nodes: Nodes;
  clouds: Clouds;
  events: Events;
  records: Pick<Records, 'running'>;
}): Metrics {
  const { database, nodes, clouds } = parts;
  const instruments = createRegistry();
  const { registry, info, jobs, nodeUp, storage, cloudState, cloudObjects } = instruments;
  const transfers = countTransfers(instruments, parts);
  info.set({ version: VERSION }, 1);

  const lookAtNodes = () => {
    for (const one of [nodeUp, ...Object.values(storage)]) one.reset();
    for (const { name: node, connected, storage: parts } of nodes.list()) {
      nodeUp.set({ node }, connected ? 1 : 0);
      for (const [part, instrument] of Object.entries(storage)) {
        const bytes = parts?.[part as keyof typeof storage];
        if (bytes !== undefined) instrument.set({ node }, bytes);
      }
    }
  };

  const lookAtClouds = () => {
    cloudState.reset();
    cloudObjects.reset();
    for (const { name: cloud, state, objects } of clouds.list()) {
      for (const one of CLOUD_STATES) cloudState.set({ cloud, state: one }, one === state ? 1 : 0);
      cloudObjects.set({ cloud }, objects);
    }
  };

  const lookAtDatabase = async () => {
    const begun = performance.now();
    try {
      const counts = await within(DATABASE_MILLISECONDS, countJobs(database));
      instruments.databaseUp.set(1);
      instruments.databaseSeconds.set((performance.now() - begun) / 1000);
      jobs.reset();
      for (const kind of JobSchema.shape.kind.options)
        for (const state of JobSchema.shape.state.options) jobs.set({ kind, state }, 0);
      for (const { kind, state, count } of counts) jobs.set({ kind, state }, count);
    } catch {
      instruments.databaseUp.set(0);
    }
  };

  return {
    contentType: registry.contentType,
    async text() {
      lookAtNodes();
      lookAtClouds();
      transfers.measure();
      await lookAtDatabase();
      return registry.metrics();
    },
    request(operation, status, seconds) {
      instruments.requests.inc({ operation, status: String(status) });
      instruments.requestSeconds.observe({ operation }, seconds);
    },
  };
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
