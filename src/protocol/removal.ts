/** Undoing by hand: single objects, the rows that shall go, and what is said about each. */
import { z } from 'zod';
import type { AsMade, RemovalRow, Verdict } from '../model/removal.ts';
import type { MarkedObject, SeenObject } from '../model/seen-object.ts';
import { LedgerEntrySchema, ObjectKindSchema, PackageDescriptionSchema } from './nouns.ts';

export const MarkedObjectSchema = z.object({
  id: z.string(),
  kind: ObjectKindSchema,
  name: z.string(),
  marker: z.string(),
  finished: z.boolean(),
  power: z.enum(['on', 'off', 'suspended', 'mixed', 'unknown']),
  madeAt: z.string().optional(),
}) satisfies z.ZodType<MarkedObject>;

const SeenObjectSchema = MarkedObjectSchema.extend({
  marker: z.string().nullable(),
  ran: z.boolean(),
  version: z.string(),
  leaseEnds: z.string().optional(),
  description: PackageDescriptionSchema.nullable(),
}) satisfies z.ZodType<SeenObject>;

export const AsMadeSchema = z.object({
  version: z.string(),
  description: PackageDescriptionSchema,
}) satisfies z.ZodType<AsMade>;

export const RemovalRowSchema = z.object({
  entry: LedgerEntrySchema,
  made: AsMadeSchema.optional(),
  held: z.string().optional(),
}) satisfies z.ZodType<RemovalRow>;

export const VerdictSchema = z.object({
  row: z.string(),
  object: z.string().optional(),
  outcome: z.enum(['remove', 'removed', 'restore', 'restored', 'left', 'gone']),
  reason: z.string(),
}) satisfies z.ZodType<Verdict>;

/** Part of the node's API (`link.ts`). */
export const removalOperations = {
  /** One object as it is now; null when there is nothing under the id. */
  lookAt: {
    method: 'GET',
    path: '/clouds/:cloud/objects/:object/look',
    answer: z.object({ seen: SeenObjectSchema.nullable() }),
  },
  /** Everything that carries a marker, of whatever job and installation. */
  listMarked: {
    method: 'GET',
    path: '/clouds/:cloud/marked',
    answer: z.object({ objects: z.array(MarkedObjectSchema) }),
  },
  /** Faults: `object.changed` when it does not carry this marker, `object.in-use` when it runs. */
  removeMarked: {
    method: 'POST',
    path: '/clouds/:cloud/objects/:object/remove',
    body: z.object({ marker: z.string() }),
    answer: z.object({}),
  },
  /** Removes a source that was set aside, while it reads this version. Faults: `object.changed`, `object.in-use`. Not on nodes of 0.1.0. */
  discardSource: {
    method: 'POST',
    path: '/clouds/:cloud/objects/:object/discard',
    body: z.object({ version: z.string() }),
    answer: z.object({}),
  },
  /** What a work of kind `remove` would do with these rows; touches nothing. */
  checkRemoval: {
    method: 'POST',
    path: '/clouds/:cloud/removal-check',
    body: z.object({ rows: z.array(RemovalRowSchema) }),
    answer: z.object({ verdicts: z.array(VerdictSchema) }),
  },
} as const;
