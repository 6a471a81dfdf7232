/** The public API between server and its clients (CLI, UI, yours): `/api/v1`, JSON, faults as problem+json. */
import { z } from 'zod';
import { accountOperations } from './api/account.ts';
import { accountsOperations } from './api/accounts.ts';
import { alarmsOperations } from './api/alarms.ts';
import { auditOperations } from './api/audit.ts';
import { CloudSchema, cloudsOperations } from './api/clouds.ts';
import { concurrencyOperations } from './api/concurrency.ts';
import { doctorOperations } from './api/doctor.ts';
import { grantsOperations } from './api/grants.ts';
import { groupsOperations } from './api/groups.ts';
import { JobSchema, jobsOperations } from './api/jobs.ts';
import { logsOperations } from './api/logs.ts';
import { NodeSchema, nodesOperations } from './api/nodes.ts';
import { objectsOperations } from './api/objects.ts';
import type { ApiOperation } from './api/operation.ts';
import { providerOperations } from './api/provider.ts';
import { retentionOperations } from './api/retention.ts';
import { serverOperations } from './api/server.ts';
import { tokensOperations } from './api/tokens.ts';
import { FaultReportSchema } from './nouns.ts';
import { readingOperations } from './readings.ts';

export const API_PREFIX = '/api/v1';
/** Cookie of a browser session; clients send `Authorization: Bearer` instead. Writes by cookie need the header below. */
export const SESSION_COOKIE = 'cloudspan_session';
export const CSRF_HEADER = 'x-cloudspan-request';

/** `GET /events`: server-sent events; `data` is one of these. After a reconnect the client reads everything anew. */
export const ServerEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('job'), job: JobSchema }),
  z.object({ type: z.literal('node'), node: NodeSchema }),
  z.object({ type: z.literal('node-gone'), id: z.string() }),
  z.object({ type: z.literal('cloud'), cloud: CloudSchema }),
  z.object({ type: z.literal('cloud-gone'), id: z.string() }),
  /** Objects of this cloud changed: read again what is shown. */
  z.object({ type: z.literal('inventory'), cloud: z.string() }),
]);
export type ServerEvent = z.infer<typeof ServerEventSchema>;

/** problem+json (RFC 9457) with the fault's own words. */
export const ProblemSchema = FaultReportSchema.extend({ type: z.string(), title: z.string(), status: z.number() });

/** The server's routes, the OpenAPI document and the typed client are all made from this table. Paths are below API_PREFIX. */
export const apiOperations = {
  ...accountOperations,
  ...accountsOperations,
  ...grantsOperations,
  ...tokensOperations,
  ...auditOperations,
  ...providerOperations,
  ...nodesOperations,
  ...cloudsOperations,
  ...objectsOperations,
  ...readingOperations,
  ...jobsOperations,
  ...groupsOperations,
  ...concurrencyOperations,
  ...doctorOperations,
  ...logsOperations,
  ...retentionOperations,
  ...serverOperations,
  ...alarmsOperations,
} as const satisfies Record<string, ApiOperation>;

export type ApiOperations = typeof apiOperations;
export type ApiOperationName = keyof ApiOperations;
