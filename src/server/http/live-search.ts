import type { FastifyInstance } from 'fastify';
import {
  LIVE_SEARCH_PATH,
  type LiveSearchEvent,
  type SearchHit,
  SearchQuerySchema,
} from '../../protocol/api/search.ts';
import { API_PREFIX } from '../../protocol/api.ts';
import type { Search } from '../search/search.ts';
import type { StreamOptions } from './event-stream.ts';
import { tokenOf } from './session.ts';
import { startStream } from './stream.ts';

/** One search asks again at most this often, however much changes. */
const PAUSE_MILLISECONDS = 500;

/**
 * `GET /search/live`: the first hits, then what is added to, changed in and removed from them, as grants and clouds change,
 * until the client goes or its session ends.
 */
export function serveLiveSearch(
  app: FastifyInstance,
  { events, auth, sights, search }: Pick<StreamOptions, 'events' | 'auth' | 'sights'> & { search: Search },
): void {
  const schema = { hide: true, querystring: SearchQuerySchema };
  app.get(`${API_PREFIX}${LIVE_SEARCH_PATH}`, { schema }, async (request, reply) => {
    const token = tokenOf(request);
    const { q, limit } = SearchQuerySchema.parse(request.query);
    const look = async () => {
      const sight = await sights.of(await auth.check(token, request.ip));
      return (await search.find(sight, { q, limit })).hits;
    };
    let known: SearchHit[];
    // What comes in between the first look and the stream is looked for at once.
    let stale = false;
    let told = () => {};
    const stop = events.subscribe((event) => {
      if (event.type !== 'inventory' && event.type !== 'cloud-gone') return;
      stale = true;
      told();
    });
    try {
      known = await look();
    } catch (error) {
      stop();
      throw error;
    }
    let timer: NodeJS.Timeout | null = null;
    let last = performance.now();
    const stream = startStream(reply, {
      check: () => auth.check(token, request.ip),
      // Grants change without any event.
      beat: () => {
        stale = true;
        told();
      },
      leave: () => {
        stop();
        if (timer !== null) clearTimeout(timer);
      },
    });
    if (stream === null) return stop();
    const tell = (event: LiveSearchEvent) => stream.send(event);
    tell({ type: 'hits', hits: known });
    let busy = false;
    const again = async () => {
      timer = null;
      busy = true;
      stale = false;
      last = performance.now();
      try {
        const now = await look();
        const change = changeBetween(known, now);
        known = now;
        if (change !== null) tell(change);
      } catch {
        // The session is over, or the database is away: who comes back begins anew.
        stream.end();
      }
      busy = false;
      if (stale) told();
    };
    told = () => {
      if (busy || timer !== null || !stream.open) return;
      timer = setTimeout(again, Math.max(0, PAUSE_MILLISECONDS - (performance.now() - last)));
    };
    if (stale) told();
  });
}

function keyOf({ cloud, id }: { cloud: string; id: string }): string {
  return `${cloud}\n${id}`;
}

/** What leads from one list to the other, in which those that stay keep their order; null where they are equal. */
export function changeBetween(before: readonly SearchHit[], now: readonly SearchHit[]): LiveSearchEvent | null {
  const old = new Map(before.map((hit) => [keyOf(hit), JSON.stringify(hit)]));
  const there = new Set(now.map(keyOf));
  const removed = before.filter((hit) => !there.has(keyOf(hit))).map(({ cloud, id }) => ({ cloud, id }));
  const placed = now.flatMap((hit, at) => {
    const text = old.get(keyOf(hit));
    if (text === JSON.stringify(hit)) return [];
    return [{ at, what: text === undefined ? ('added' as const) : ('changed' as const), hit }];
  });
  return removed.length + placed.length === 0 ? null : { type: 'change', removed, placed };
}
