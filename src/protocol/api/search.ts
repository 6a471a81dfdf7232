/** Search over all clouds. */
import { z } from 'zod';
import { ObjectSchema } from './objects.ts';
import type { ApiOperation } from './operation.ts';

export const SearchHitSchema = ObjectSchema.extend({ cloudName: z.string() });
export type SearchHit = z.infer<typeof SearchHitSchema>;

export const SearchQuerySchema = z.object({
  /** Words that must all be found, `field:value`, quotes, `-` or `!` before what must not be: docs/guide/search.md. */
  q: z.string(),
  limit: z.coerce.number<number>().int().min(1).max(500).default(50),
});

/**
 * `GET /search/live`, with the query of `search` but its cursor: server-sent events; `data` is one of these. It follows
 * the first `limit` hits: to get the list as it is now, take out what is `removed` and `changed`, then put in what is
 * `added` and `changed` at its place `at`, in the order in which it is told.
 */
export const LiveSearchEventSchema = z.discriminatedUnion('type', [
  /** The whole list: always the first event. */
  z.object({ type: z.literal('hits'), hits: z.array(SearchHitSchema) }),
  z.object({
    type: z.literal('change'),
    removed: z.array(z.object({ cloud: z.string(), id: z.string() })),
    placed: z.array(z.object({ at: z.number(), what: z.enum(['added', 'changed']), hit: SearchHitSchema })),
  }),
]);
export type LiveSearchEvent = z.infer<typeof LiveSearchEventSchema>;

export const LIVE_SEARCH_PATH = '/search/live';

export const searchOperations = {
  search: {
    method: 'GET',
    path: '/search',
    summary: 'Objects of all clouds by names, addresses, networks, guest systems, tags, power, owners and hosts',
    query: SearchQuerySchema.extend({ cursor: z.string().optional() }),
    /** Best first. `next`: cursor of what follows; absent at the end. */
    answer: z.object({ hits: z.array(SearchHitSchema), next: z.string().optional() }),
    needs: 'session',
  },
} as const satisfies Record<string, ApiOperation>;
