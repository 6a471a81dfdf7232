import { createHmac, randomBytes } from 'node:crypto';
import { delay } from '../base/backoff.ts';
import type { Log } from '../base/log.ts';
import { plainHex } from '../base/tls.ts';
import type { Cloud } from '../drivers/driver.ts';
import { Fault } from '../model/fault.ts';
import type { Trust } from '../model/option.ts';
import type { Way } from '../model/proxy.ts';
import type { CloudAboutAnswer, SessionRequest } from '../protocol/link.ts';
import { type DriverList, findDriver } from './drivers.ts';

/** A cloud that does not answer does not keep the node from stopping. */
const CLOSE_MILLISECONDS = 2000;

interface Session {
  readonly cloud: Cloud;
  readonly about: CloudAboutAnswer;
  /** Keyed hash of the settings, to notice that the same ones come again; the settings themselves are not kept. */
  readonly settings: string;
  readonly trust: Trust;
  users: number;
  /** Aborted when the session is replaced or closed: the cloud is closed when its last user is through. */
  readonly retirement: AbortController;
}

/** A cloud on loan: closing gives it back. */
export interface BorrowedCloud extends Disposable {
  readonly cloud: Cloud;
  /** Aborted when the session was replaced or closed: who only watches lets go of it. */
  readonly retired: AbortSignal;
}

/**
 * Sessions with clouds, one per server and cloud, in memory only. A refused login is reported, never repeated. Works keep
 * the session that they began with until they give it back, also when it is replaced meanwhile.
 */
export class Sessions {
  readonly #drivers: DriverList;
  readonly #log: Log;
  readonly #stallSeconds: number;
  readonly #way: Way;
  readonly #key = randomBytes(32);
  readonly #sessions = new Map<string, Session>();
  readonly #opening = new Map<string, { settings: string; done: Promise<Session> }>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #retired = new Set<Promise<void>>();
  readonly #closed = new AbortController();

  /** @param stallSeconds Silence after which a call to a cloud is given up. */
  constructor(drivers: DriverList, log: Log, stallSeconds = 60, way: Way = () => null) {
    this.#drivers = drivers;
    this.#log = log;
    this.#stallSeconds = stallSeconds;
    this.#way = way;
  }

  /**
   * Signs in, or takes the session that is there when the settings are the same and the cloud still knows it. Equal
   * requests at the same time share one attempt. Faults: those of `Driver.connect`.
   */
  async open(server: string, cloud: string, request: SessionRequest): Promise<CloudAboutAnswer> {
    const key = keyOf(server, cloud);
    const settings = createHmac('sha256', this.#key).update(JSON.stringify(request)).digest('hex');
    const other = this.#opening.get(key);
    if (other !== undefined && other.settings === settings) return (await other.done).about;
    await other?.done.catch(() => {});
    const opening = this.#opening.get(key);
    if (opening !== undefined) return this.open(server, cloud, request);
    const done = this.#renew(key, request, settings);
    this.#opening.set(key, { settings, done });
    try {
      return (await done).about;
    } finally {
      this.#opening.delete(key);
    }
  }

  /** Idempotent. The cloud is signed out when nothing uses it any more. */
  close(server: string, cloud: string): void {
    const key = keyOf(server, cloud);
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    if (session !== undefined) this.#retire(session);
    // One that is just being opened is not wanted any more either.
    this.#opening.get(key)?.done.then(
      (opened) => {
        if (this.#sessions.get(key) === opened) this.close(server, cloud);
      },
      () => {},
    );
  }

  /** Gives up the session that trusts this certificate: the cloud shows another. One that trusts the new one stays. */
  distrust(server: string, cloud: string, sha256: string): void {
    const trust = this.#sessions.get(keyOf(server, cloud))?.trust;
    if (trust?.kind === 'pin' && plainHex(trust.sha256) === sha256) this.close(server, cloud);
  }

  /** Fault: `session.missing`. */
  borrow(server: string, cloud: string): BorrowedCloud {
    const session = this.#sessions.get(keyOf(server, cloud));
    if (session === undefined) throw new Fault('session.missing', `the node holds no session with cloud ${cloud}`);
    session.users++;
    let mine = true;
    return {
      cloud: session.cloud,
      retired: session.retirement.signal,
      [Symbol.dispose]: () => {
        if (!mine) return;
        mine = false;
        session.users--;
        if (session.retirement.signal.aborted && session.users === 0) this.#closeCloud(session);
      },
    };
  }

  /** Resolves when there is a session with this cloud. */
  async opened(server: string, cloud: string, signal: AbortSignal): Promise<void> {
    const key = keyOf(server, cloud);
    if (this.#sessions.has(key)) return;
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting.add(resolve));
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      waiting.delete(resolve);
    }
  }

  /** Signs out of every cloud. */
  async closeAll(): Promise<void> {
    this.#closed.abort(new Fault('node.unreachable', 'the node is shutting down'));
    for (const session of this.#sessions.values()) {
      session.retirement.abort(this.#closed.signal.reason);
      this.#closeCloud(session);
    }
    this.#sessions.clear();
    const opening = Promise.allSettled([...this.#opening.values()].map((one) => one.done));
    await Promise.race([opening.then(() => Promise.allSettled([...this.#retired])), delay(CLOSE_MILLISECONDS)]);
  }

  async #renew(key: string, request: SessionRequest, settings: string): Promise<Session> {
    const current = this.#sessions.get(key);
    if (current?.settings === settings && (await this.#alive(current))) return current;
    const driver = findDriver(this.#drivers, request.driver);
    const log = this.#log.child({ cloud: request.label });
    const signal = this.#closed.signal;
    const cloud = await driver.connect(
      {
        options: request.options,
        trust: request.trust,
        label: request.label,
        stallSeconds: this.#stallSeconds,
        way: this.#way,
        log: {
          info: (text, fields) => log.info(fields ?? {}, text),
          warn: (text, fields) => log.warn(fields ?? {}, text),
        },
      },
      signal,
    );
    let session: Session;
    try {
      const about = { ...(await cloud.about(signal)), facets: facetsOf(cloud) };
      session = { cloud, about, settings, trust: request.trust, users: 0, retirement: new AbortController() };
      signal.throwIfAborted();
    } catch (error) {
      await cloud.close();
      throw error;
    }
    const before = this.#sessions.get(key);
    this.#sessions.set(key, session);
    if (before !== undefined) this.#retire(before);
    for (const wake of this.#waiting.get(key) ?? []) wake();
    return session;
  }

  async #alive(session: Session): Promise<boolean> {
    try {
      await session.cloud.about(this.#closed.signal);
      return true;
    } catch {
      return false;
    }
  }

  #retire(session: Session): void {
    session.retirement.abort(new Fault('session.missing', 'the session with this cloud was closed or replaced'));
    if (session.users === 0) this.#closeCloud(session);
  }

  #closeCloud(session: Session): void {
    const closing = session.cloud.close().catch((error) => this.#log.warn({ err: error }, 'a cloud was not closed'));
    this.#retired.add(closing);
    void closing.finally(() => this.#retired.delete(closing));
  }
}

function facetsOf(cloud: Cloud): string[] {
  return (['power', 'exports', 'imports', 'objects', 'sources'] as const).filter((facet) => cloud[facet] !== undefined);
}

function keyOf(server: string, cloud: string): string {
  return JSON.stringify([server, cloud]);
}
