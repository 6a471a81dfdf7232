/** How many jobs run at the same time. */
import { z } from 'zod';
import type { ApiOperation } from './operation.ts';

const CountSchema = z.number().int().min(1).max(10_000);

export const ConcurrencySchema = z.object({
  /** All together. */
  jobs: CountSchema,
  /** For each node, cloud and host (of the machines that leave) by itself; null: no limit but that of all together. */
  perNode: CountSchema.nullable(),
  perCloud: CountSchema.nullable(),
  perHost: CountSchema.nullable(),
  /** By name of a node or cloud: instead of what every other has. */
  nodes: z.record(z.string(), CountSchema),
  clouds: z.record(z.string(), CountSchema),
});
export type Concurrency = z.infer<typeof ConcurrencySchema>;

export const concurrencyOperations = {
  getConcurrency: {
    method: 'GET',
    path: '/concurrency',
    summary: 'How many jobs run at the same time: together, and for each node, cloud and host',
    answer: ConcurrencySchema,
    needs: 'administrator',
  },
  setConcurrency: {
    method: 'PUT',
    path: '/concurrency',
    summary: 'Change how many jobs run at the same time; those that run already go on',
    body: ConcurrencySchema.partial(),
    answer: ConcurrencySchema,
    needs: 'administrator',
    audit: ['jobs', 'perNode', 'perCloud', 'perHost', 'nodes', 'clouds'],
  },
} as const satisfies Record<string, ApiOperation>;
