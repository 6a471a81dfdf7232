import type { Lab } from './lab.ts';
import { type Invocation, kind } from './managed.ts';
import { type Delta, Filter, rowXml, updateXml } from './property-filter.ts';
import { type Row, selectRows } from './selection.ts';
import { notAuthenticated, type Session } from './session-manager.ts';
import { Written } from './soap/envelope.ts';
import { type Data, flag, number, object, objects, type Ref, ref, text } from './value.ts';
import { invalidArgument, VimFault } from './vim-fault.ts';

const DEFAULT_PAGE = 1000;
const MAX_WAIT_SECONDS = 1800;

/** Filters of one client and the versions it has been told. */
class Collector {
  readonly id: string;
  readonly session: Session;
  readonly filters = new Map<string, Filter>();
  #version = 0;
  /** The answer that led to the current version, given again when a client asks with the version before it. */
  #last: { from: number; deltas: Delta[] } | undefined;
  /** Parts of an update set that did not fit the last answer. */
  #rest: Delta[] = [];
  #waiting: AbortController | undefined;

  constructor(id: string, session: Session) {
    this.id = id;
    this.session = session;
  }

  cancel(): void {
    this.#waiting?.abort();
  }

  /** Deltas since the version, or undefined when nothing changed. */
  #step(
    lab: Lab,
    version: string | undefined,
    limit: number,
  ): { version: number; deltas: Delta[]; truncated: boolean } | undefined {
    const asked = version === undefined || version === '' ? 0 : Number(version);
    const replay = this.#last && asked === this.#last.from && asked !== this.#version;
    if (!Number.isInteger(asked) || asked < 0 || (asked !== this.#version && asked !== 0 && !replay)) {
      throw new VimFault('InvalidCollectorVersion', `The collector version "${version}" is not known.`);
    }
    if (replay && asked !== 0 && this.#last)
      return { version: this.#version, deltas: this.#last.deltas, truncated: this.#rest.length > 0 };
    if (asked === 0) {
      this.#rest = [];
      for (const filter of this.filters.values()) filter.forget();
    }
    const pending = this.#rest.length
      ? this.#rest
      : [...this.filters.values()].map((filter) => filter.delta(lab)).filter((one) => one !== undefined);
    if (!pending.length) return undefined;
    const now: Delta[] = [];
    const rest: Delta[] = [];
    let room = limit;
    for (const delta of pending) {
      const fits = delta.objects.slice(0, Math.max(0, room));
      if (fits.length || !delta.objects.length) now.push({ ...delta, objects: fits });
      if (fits.length < delta.objects.length) rest.push({ ...delta, objects: delta.objects.slice(fits.length) });
      room -= fits.length;
    }
    this.#rest = rest;
    this.#last = { from: this.#version, deltas: now };
    this.#version++;
    return { version: this.#version, deltas: now, truncated: rest.length > 0 };
  }

  async wait(call: Invocation, version: string | undefined, seconds: number, limit: number): Promise<Written> {
    const waiting = new AbortController();
    this.#waiting?.abort();
    this.#waiting = waiting;
    const until = Date.now() + seconds * 1000;
    for (;;) {
      const step = this.#step(call.lab, version, limit);
      if (step) return new Written(updateXml(step.version, step.deltas, step.truncated));
      const left = until - Date.now();
      if (left <= 0) return new Written(undefined);
      await change(call.lab, left, AbortSignal.any([call.signal, waiting.signal]));
      if (waiting.signal.aborted) throw new VimFault('RequestCanceled', 'The request was canceled by a user.');
      if (call.signal.aborted) return new Written(undefined);
      if (!call.lab.sessions.byKey(this.session.key)) throw notAuthenticated('PropertyCollector', this.id);
      call.lab.sessions.touch(this.session);
    }
  }
}

/** Waits for a change of anything, at most so long. */
function change(lab: Lab, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      lab.changes.off('change', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(milliseconds, 2 ** 31 - 1));
    lab.changes.on('change', done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

function owned(call: Invocation): Session {
  if (!call.session) throw notAuthenticated('PropertyCollector', 'propertyCollector');
  return call.session;
}

type Page = { rows: Row[]; size: number };

function page(call: Invocation, rows: Row[], size: number): Written {
  const session = owned(call);
  const now = rows.slice(0, size);
  const rest = rows.slice(size);
  let token = '';
  if (rest.length) {
    const id = crypto.randomUUID();
    session.objects.set(`token ${id}`, { rows: rest, size } satisfies Page);
    token = `<token>${id}</token>`;
  }
  if (!now.length) return new Written(undefined);
  return new Written(`<returnval>${token}${now.map((row) => rowXml('objects', row)).join('')}</returnval>`);
}

function takePage(call: Invocation, args: Data): Page {
  const name = `token ${text(args, 'token')}`;
  const found = owned(call).objects.get(name) as Page | undefined;
  if (!found) throw invalidArgument('token');
  owned(call).objects.delete(name);
  return found;
}

function rows(call: Invocation, args: Data): Row[] {
  return objects(args, 'specSet').flatMap((spec) => selectRows(call.lab, call.session, spec));
}

function limitOf(value: number | undefined, name: string): number {
  if (value !== undefined && value <= 0) throw invalidArgument(name);
  return value ?? DEFAULT_PAGE;
}

/** The collector every session has, and those it makes for itself. */
function findCollector(lab: Lab, id: string): { id: string } | undefined {
  if (id === 'propertyCollector') return { id };
  return lab.sessions.list.some((session) => session.objects.get(id) instanceof Collector) ? { id } : undefined;
}

function collector(call: Invocation, self: { id: string }): Collector {
  const session = owned(call);
  const known = session.objects.get(self.id);
  if (known instanceof Collector) return known;
  if (self.id !== 'propertyCollector') throw notAuthenticated('PropertyCollector', self.id);
  const made = new Collector(self.id, session);
  session.objects.set(self.id, made);
  session.onEnd.add(() => made.cancel());
  return made;
}

export const propertyCollector = kind<{ id: string }>(
  'PropertyCollector',
  findCollector,
  {
    filter: (lab, self): Ref[] => {
      const found = lab.sessions.list
        .map((session) => session.objects.get(self.id))
        .find((one) => one instanceof Collector);
      return found ? [...found.filters.keys()].map((id) => ref('PropertyFilter', id)) : [];
    },
  },
  {
    RetrieveProperties: (call, _self, args) =>
      new Written(
        rows(call, args)
          .map((row) => rowXml('returnval', row))
          .join(''),
      ),
    RetrievePropertiesEx: (call, _self, args) =>
      page(call, rows(call, args), limitOf(number(object(args, 'options'), 'maxObjects'), 'options.maxObjects')),
    ContinueRetrievePropertiesEx(call, _self, args) {
      const { rows: left, size } = takePage(call, args);
      return page(call, left, size);
    },
    CancelRetrievePropertiesEx(call, _self, args) {
      takePage(call, args);
      return undefined;
    },
    CreateFilter(call, self, args) {
      const home = collector(call, self);
      const spec = object(args, 'spec') ?? {};
      selectRows(call.lab, call.session, spec);
      const id = `session[${home.session.key}]${crypto.randomUUID()}`;
      const filter = new Filter(id, home.session, spec, flag(args, 'partialUpdates') ?? false, () => {
        home.filters.delete(id);
        home.session.objects.delete(id);
      });
      home.filters.set(id, filter);
      home.session.objects.set(id, filter);
      call.lab.changed();
      return ref('PropertyFilter', id);
    },
    CreatePropertyCollector(call) {
      const session = owned(call);
      const id = `session[${session.key}]${crypto.randomUUID()}`;
      const made = new Collector(id, session);
      session.objects.set(id, made);
      session.onEnd.add(() => made.cancel());
      return ref('PropertyCollector', id);
    },
    DestroyPropertyCollector(call, self) {
      const gone = collector(call, self);
      gone.cancel();
      for (const filter of [...gone.filters.values()]) filter.destroy();
      gone.session.objects.delete(self.id);
      return undefined;
    },
    WaitForUpdatesEx(call, self, args) {
      const options = object(args, 'options');
      const seconds = number(options, 'maxWaitSeconds');
      if (seconds !== undefined && seconds < 0) throw invalidArgument('options.maxWaitSeconds');
      const limit = limitOf(number(options, 'maxObjectUpdates'), 'options.maxObjectUpdates');
      return collector(call, self).wait(call, text(args, 'version'), seconds ?? MAX_WAIT_SECONDS, limit);
    },
    WaitForUpdates: (call, self, args) =>
      collector(call, self).wait(call, text(args, 'version'), MAX_WAIT_SECONDS, Number.POSITIVE_INFINITY),
    CheckForUpdates: (call, self, args) =>
      collector(call, self).wait(call, text(args, 'version'), 0, Number.POSITIVE_INFINITY),
    CancelWaitForUpdates(call, self) {
      collector(call, self).cancel();
      return undefined;
    },
  },
);

export const propertyFilter = kind<Filter>(
  'PropertyFilter',
  (lab, id) => {
    for (const session of lab.sessions.list) {
      const found = session.objects.get(id);
      if (found instanceof Filter) return found;
    }
    return undefined;
  },
  { spec: (_lab, filter) => filter.spec, partialUpdates: (_lab, filter) => filter.partial },
  {
    DestroyPropertyFilter(_call, filter) {
      filter.destroy();
      return undefined;
    },
  },
);
