/** The logs of the processes: how much they say. What a job did is told by `jobs.ts`. */
import { z } from 'zod';
import { LogLevelSchema, SetLogLevelSchema } from '../log-level.ts';
import { FaultReportSchema } from '../nouns.ts';
import type { ApiOperation } from './operation.ts';

export const ProcessLogSchema = z.object({
  /** Name of the node; absent: this server. */
  node: z.string().optional(),
  /** Absent with a fault: the node was not asked, or does not know it. */
  log: LogLevelSchema.optional(),
  fault: FaultReportSchema.optional(),
});
export type ProcessLog = z.infer<typeof ProcessLogSchema>;

export const logsOperations = {
  listLogLevels: {
    method: 'GET',
    path: '/log-levels',
    summary: 'How much the server and its nodes write into their logs',
    answer: z.object({ processes: z.array(ProcessLogSchema) }),
    needs: 'administrator',
  },
  setLogLevel: {
    method: 'PUT',
    path: '/log-levels',
    summary: 'Change the log level of the server or of a node, for a while or until it ends',
    /** `node`: id or name; absent: this server. */
    body: SetLogLevelSchema.extend({ node: z.string().optional() }),
    answer: ProcessLogSchema,
    needs: 'administrator',
    audit: ['node', 'level', 'seconds'],
  },
} as const satisfies Record<string, ApiOperation>;
