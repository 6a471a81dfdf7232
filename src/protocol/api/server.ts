/** The server itself. */
import { z } from 'zod';
import type { ApiOperation } from './operation.ts';

export const ServerSchema = z.object({
  version: z.string(),
  /** Present while a restored server waits for an administrator: no job runs. */
  onHold: z
    .object({
      /** When it was restored. */
      since: z.string(),
      /** When its backup was made. */
      backup: z.string(),
    })
    .optional(),
});

/** What became of the objects that the ledger knows. */
export const ReleaseSchema = z.object({
  /** Objects that were looked for. */
  compared: z.number(),
  gone: z.array(
    z.object({ job: z.number(), cloud: z.string(), kind: z.string(), name: z.string(), object: z.string() }),
  ),
  /** Clouds that did not answer. */
  notCompared: z.array(z.object({ cloud: z.string(), why: z.string(), objects: z.number() })),
});
export type ReleaseView = z.infer<typeof ReleaseSchema>;

export const ServersSchema = z.object({
  servers: z.array(
    z.object({
      id: z.string(),
      /** Name of its machine. */
      host: z.string(),
      /** Where nodes dial it. */
      address: z.string(),
      version: z.string(),
      startedAt: z.string(),
      seenAt: z.string(),
      /** False: it was silent for so long that the others take over its jobs. */
      alive: z.boolean(),
      /** Whether it is the one that watches clouds and alarms. */
      steward: z.boolean(),
      /** Jobs that run or wait there. */
      jobs: z.number(),
      /** The one that answers. */
      this: z.boolean(),
    }),
  ),
});

export const serverOperations = {
  listServers: {
    method: 'GET',
    path: '/servers',
    summary: 'The servers that share this database',
    answer: ServersSchema,
    needs: 'administrator',
  },
  getServer: {
    method: 'GET',
    path: '/server',
    summary: 'This server: its version, and whether it is on hold',
    answer: ServerSchema,
    needs: 'session',
  },
  releaseHold: {
    method: 'POST',
    path: '/server/release-hold',
    summary: 'The server that was backed up is gone: compare the ledger with the clouds, then go on with the jobs',
    /** How long clouds are waited for that are not connected yet. */
    body: z.object({ patienceSeconds: z.number().int().min(0).max(600).optional() }),
    answer: ReleaseSchema,
    needs: 'administrator',
  },
  backup: {
    method: 'GET',
    path: '/backup',
    summary: 'The whole server in one encrypted file, without the key of the vault',
    download: 'application/octet-stream',
    answer: z.unknown(),
    needs: 'administrator',
  },
  supportBundle: {
    method: 'GET',
    path: '/support-bundle',
    summary: 'Versions, settings, states, and the jobs of the last days with their logs, as tar.gz without secrets',
    query: z.object({ days: z.coerce.number<number>().int().min(1).max(365).default(7) }),
    download: 'application/gzip',
    answer: z.unknown(),
    needs: 'administrator',
  },
} as const satisfies Record<string, ApiOperation>;
