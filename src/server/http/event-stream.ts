import type { FastifyInstance } from 'fastify';
import { API_PREFIX, type ServerEvent } from '../../protocol/api.ts';
import type { Auth } from '../auth.ts';
import type { Events } from '../events.ts';
import { shownJob } from '../people/shown-job.ts';
import type { Sight, Sights } from '../people/sight.ts';
import { partsOfId } from '../sign-in-id.ts';
import type { Database } from '../store/database.ts';
import { type JobPlaces, readPlaces } from '../store/places.ts';
import { tokenOf } from './session.ts';
import { startStream } from './stream.ts';

/** After so long an event is judged by the grants anew. */
const SIGHT_MILLISECONDS = 1_000;
/** A page that is this much too slow is dropped; it comes back and reads everything anew. */
const BACKLOG_EVENTS = 2_000;

export interface StreamOptions {
  events: Events;
  auth: Auth;
  sights: Sights;
  database: Database;
}

/** `GET /events`: server-sent events, of what the account sees, until the client goes or its session ends. */
export function serveEvents(app: FastifyInstance, { events, auth, sights, database }: StreamOptions): void {
  app.get(`${API_PREFIX}/events`, { schema: { hide: true } }, async (request, reply) => {
    const token = tokenOf(request);
    const signed = await auth.check(token, request.ip);
    const filter = createFilter(
      database,
      async () => sights.of(await auth.check(token, request.ip)),
      await sights.of(signed),
    );
    let stop = () => {};
    const stream = startStream(reply, { check: () => auth.check(token, request.ip), leave: () => stop() });
    if (stream === null) return;
    let waiting = 0;
    let last: Promise<void> = Promise.resolve();
    const tell = async (event: ServerEvent) => {
      waiting--;
      const seen = stream.open ? await filter(event) : null;
      if (seen !== null) stream.send(seen);
    };
    stop = events.subscribe((event) => {
      if (++waiting > BACKLOG_EVENTS) return stream.drop();
      last = last.then(() => tell(event)).catch(() => stream.end());
    });
  });
}

/** What an account may hear of an event, or null. */
function createFilter(database: Database, look: () => Promise<Sight>, first: Sight) {
  let sight = first;
  let looked = performance.now();
  const known = new Map<string, JobPlaces | null>();
  const placesOf = async (job: string): Promise<JobPlaces | null> => {
    const cached = known.get(job);
    if (cached !== undefined) return cached;
    const places = (await readPlaces(database, job))?.places ?? null;
    if (places !== null) known.set(job, places);
    return places;
  };
  return async (event: ServerEvent): Promise<ServerEvent | null> => {
    if (performance.now() - looked > SIGHT_MILLISECONDS) {
      sight = await look();
      looked = performance.now();
    }
    if (event.type === 'job') {
      if (sight.rights.seesAll) return event;
      const places = await placesOf(event.job.id);
      return sight.seesJob(places) ? { ...event, job: shownJob(event.job, sight.ends(places)) } : null;
    }
    if (event.type === 'node') {
      const node = sight.node(event.node);
      return node === null ? null : { ...event, node };
    }
    if (event.type === 'cloud') {
      const cloud = sight.cloud(event.cloud);
      return cloud === null ? null : { ...event, cloud };
    }
    if (event.type === 'inventory') {
      const { cloud, account } = partsOfId(event.cloud);
      if (account !== null) return sight.rights.somewhere('see', event.cloud) ? { ...event, cloud } : null;
      return sight.rights.seesAll || sight.rights.somewhere('see', cloud) ? event : null;
    }
    // What is gone cannot be judged any more; an id that says nothing to anybody else tells nothing.
    return event;
  };
}
