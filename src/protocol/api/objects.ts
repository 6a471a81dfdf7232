/** What is in the clouds. */
import { z } from 'zod';
import { InventoryObjectSchema, OptionDescriptionSchema, PowerActionSchema } from '../nouns.ts';
import { type ApiOperation, nothing } from './operation.ts';

/** An object with the path that names it. */
export const ObjectSchema = InventoryObjectSchema.extend({ cloud: z.string(), path: z.string() });
export type ObjectView = z.infer<typeof ObjectSchema>;
/** `next`: cursor of what follows; absent at the end. */
export const ObjectListSchema = z.object({ objects: z.array(ObjectSchema), next: z.string().optional() });
export const PowerRequestSchema = z.object({ action: PowerActionSchema });

export const objectsOperations = {
  listObjects: {
    method: 'GET',
    path: '/objects',
    summary: 'Objects of a cloud: the children of one, or those that a path names',
    query: z.object({
      cloud: z.string(),
      /** Id of the parent; `root` for the top. */
      parent: z.string().optional(),
      /** Path from the root; answers all objects that it fits. */
      path: z.string().optional(),
      /** Comma separated kinds; with neither parent nor path: all objects of these kinds. */
      kinds: z.string().optional(),
      /** Absent: all of them at once. */
      limit: z.coerce.number<number>().int().min(1).max(10_000).optional(),
      cursor: z.string().optional(),
    }),
    answer: ObjectListSchema,
    needs: 'session',
  },
  power: {
    method: 'POST',
    path: '/clouds/:cloud/objects/:object/power',
    summary: 'Change the power state',
    body: PowerRequestSchema,
    answer: nothing,
    needs: { object: 'operate' },
    audit: ['action'],
  },
  placement: {
    method: 'GET',
    path: '/clouds/:cloud/objects/:object/placement',
    summary: 'What can be chosen when something is put here',
    answer: z.object({ options: z.array(OptionDescriptionSchema) }),
    needs: { object: 'copy-in' },
  },
  description: {
    method: 'GET',
    path: '/clouds/:cloud/objects/:object/description',
    summary: 'The hardware of a machine, vApp or template',
    answer: z.object({ description: z.unknown() }),
    needs: { object: 'see' },
  },
} as const satisfies Record<string, ApiOperation>;
