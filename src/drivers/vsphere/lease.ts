import { delay } from '../../base/backoff.ts';
import { CloudHttp } from '../../base/http.ts';
import { type CloudTrust, plainHex } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import { childrenOf, type Element, flagOf, numberOf, type Ref, refOf, textOf } from './element.ts';
import { faultOfMethod, isVimFault, toFault } from './faults.ts';
import { readObjects } from './property-collector.ts';
import type { Session } from './session.ts';
import { leaf } from './soap.ts';

/** HttpNfcLeaseDeviceUrl: one file of the lease. */
export interface DeviceUrl {
  key: string;
  importKey: string;
  url: URL;
  /** SHA-1 of the certificate of the host in `url`; empty where it is the API's own. */
  thumbprint: string;
  disk: boolean;
}

/** HttpNfcLeaseManifestEntry: what the cloud stored (import) or sent (export). */
export interface ManifestEntry {
  key: string;
  sha1: string;
  checksum: string;
  checksumType: string;
  sizeBytes: number;
}

/** Progress is told this often, or a fifth of the lease's timeout if that is shorter. */
const KEEP_ALIVE_SECONDS = 15;

/**
 * One HttpNfcLease from ready to its end. It is kept alive by a timer of its own, whatever the data does.
 * Owner: whoever opened it; ends by `complete` or `abandon`.
 */
export class Lease {
  readonly ref: Ref;
  /** The machine or vApp that is read or made. */
  readonly entity: Ref;
  readonly files: readonly DeviceUrl[];
  readonly timeoutSeconds: number;
  /** Aborted with a `lease.expired` fault once the server does not know the lease any more. */
  readonly lost: AbortSignal;
  readonly #session: Session;
  readonly #what: string;
  readonly #https = new Map<string, CloudHttp>();
  readonly #end = new AbortController();
  readonly #loss = new AbortController();
  #percent = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(session: Session, ref: Ref, info: Element, what: string) {
    this.ref = ref;
    this.lost = this.#loss.signal;
    this.#session = session;
    this.#what = what;
    const entity = refOf(info, 'entity');
    if (entity === undefined) throw new Fault('cloud.protocol', `${session.who}: ${what}: the lease names no entity`);
    this.entity = entity;
    this.timeoutSeconds = numberOf(info, 'leaseTimeout') || 300;
    this.files = childrenOf(info, 'deviceUrl').map((file) => this.#deviceUrl(file));
    const every = Math.max(0.2, Math.min(KEEP_ALIVE_SECONDS, this.timeoutSeconds / 5));
    this.#timer = setInterval(() => void this.#keepAlive(), every * 1000);
    this.#timer.unref();
  }

  /** 0 to 100; never goes back. Told to the server with the next keep-alive. */
  set percent(value: number) {
    this.#percent = Math.max(this.#percent, Math.min(99, Math.floor(value)));
  }

  /** HTTPS to the host of a file, believed by the thumbprint that only the lease tells. */
  http(file: DeviceUrl): CloudHttp {
    const trust = this.#trust(file);
    const id = JSON.stringify(trust);
    let http = this.#https.get(id);
    if (http === undefined) {
      const { who, stallSeconds, way } = this.#session;
      http = new CloudHttp({ trust, who, stallSeconds, way, connections: Math.max(8, this.files.length + 2) });
      this.#https.set(id, http);
    }
    return http;
  }

  /** The session's cookie goes to the API's own host only. */
  headers(file: DeviceUrl): Record<string, string> {
    const { cookie, url } = this.#session;
    return cookie !== undefined && file.url.host === url.host ? { cookie } : {};
  }

  /**
   * Whether the lease outlived a connection that broke. A server cuts the lines of a lease a moment before it says that
   * the lease is over, so it is asked more than once. A lost one aborts `lost`.
   */
  async survived(signal: AbortSignal): Promise<boolean> {
    for (const wait of [0, 300, 1000]) {
      await delay(wait, signal);
      if (!(await this.#ready(signal))) return false;
    }
    return true;
  }

  async #ready(signal: AbortSignal): Promise<boolean> {
    if (this.#loss.signal.aborted) return false;
    try {
      const [found] = await readObjects(this.#session, [this.ref], ['state'], signal);
      if (found?.props.get('state')?.text === 'ready') return true;
    } catch (error) {
      if (!isVimFault(error, 'ManagedObjectNotFound')) throw error;
    }
    this.#lose();
    return false;
  }

  async manifest(signal: AbortSignal): Promise<ManifestEntry[]> {
    const answer = await this.#session.call('HttpNfcLeaseGetManifest', this.ref, signal);
    return childrenOf(answer, 'returnval').map((entry) => ({
      key: textOf(entry, 'key') ?? '',
      sha1: plainHex(textOf(entry, 'sha1') ?? ''),
      checksum: plainHex(textOf(entry, 'checksum') ?? ''),
      checksumType: (textOf(entry, 'checksumType') ?? '').toLowerCase(),
      sizeBytes: numberOf(entry, 'size') ?? 0,
    }));
  }

  /** Tells the server that all is through. Fault: `lease.expired`. */
  async complete(signal: AbortSignal): Promise<void> {
    try {
      await this.#session.call('HttpNfcLeaseProgress', this.ref, signal, { content: leaf('percent', 100) });
      await this.#session.call('HttpNfcLeaseComplete', this.ref, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (isVimFault(error, 'ManagedObjectNotFound', 'Timedout', 'InvalidState')) throw this.#lose();
      throw toFault(error, this.#session.who, this.#what);
    }
    await this.#release();
  }

  /** Gives the lease back unfinished. Never throws. */
  async abandon(): Promise<void> {
    await this.#release();
    await abortLease(this.#session, this.ref);
  }

  async #release(): Promise<void> {
    clearInterval(this.#timer);
    this.#end.abort();
    await Promise.all([...this.#https.values()].map((http) => http.close()));
    this.#https.clear();
  }

  async #keepAlive(): Promise<void> {
    try {
      await this.#session.call('HttpNfcLeaseProgress', this.ref, this.#end.signal, {
        content: leaf('percent', this.#percent),
      });
    } catch (error) {
      if (this.#end.signal.aborted) return;
      if (isVimFault(error, 'ManagedObjectNotFound', 'Timedout', 'InvalidState')) this.#lose();
      else this.#session.log.warn(`${this.#session.who}: the lease was not kept alive`, { error: String(error) });
    }
  }

  #lose(): Fault {
    clearInterval(this.#timer);
    const { who } = this.#session;
    const fault = new Fault('lease.expired', `${who}: ${this.#what}: the server ended the lease ${this.ref.id}`);
    if (!this.#loss.signal.aborted) this.#loss.abort(fault);
    return fault;
  }

  #deviceUrl(file: Element): DeviceUrl {
    // An ESXi host that is spoken to directly writes `*` where its own name belongs.
    const { url, who } = this.#session;
    const text = (textOf(file, 'url') ?? '').replace(/^https:\/\/\*(?::(\d+))?(?=\/)/, (_, port?: string) =>
      port === undefined || port === '' ? url.origin : `https://${url.hostname}:${port}`,
    );
    if (!URL.canParse(text))
      throw new Fault('cloud.protocol', `${who}: ${this.#what}: the lease has a file without URL`);
    return {
      key: textOf(file, 'key') ?? '',
      importKey: textOf(file, 'importKey') ?? '',
      url: new URL(text),
      thumbprint: plainHex(textOf(file, 'sslThumbprint') ?? ''),
      disk: flagOf(file, 'disk') ?? false,
    };
  }

  #trust(file: DeviceUrl): CloudTrust {
    if (file.thumbprint !== '') return { kind: 'thumbprint', sha1: file.thumbprint };
    const { trust, url, who } = this.#session;
    if (file.url.host === url.host) return trust;
    throw new Fault('cloud.untrusted', `${who}: ${this.#what}: the lease gives no thumbprint for ${file.url.host}`);
  }
}

/** Waits until a fresh lease is ready. A lease that fails or an abort gives it back. `what` names the act. */
export async function openLease(session: Session, ref: Ref, what: string, signal: AbortSignal): Promise<Lease> {
  try {
    for (let wait = 30; ; wait = Math.min(1000, wait * 1.6)) {
      const [found] = await readObjects(session, [ref], ['state', 'info', 'error'], signal);
      const state = found?.props.get('state')?.text;
      const info = found?.props.get('info');
      if (state === 'ready' && info !== undefined) return new Lease(session, ref, info, what);
      if (state === 'error') {
        const error = found?.props.get('error');
        throw error === undefined ? new Error('the lease failed') : faultOfMethod(error);
      }
      if (state === 'done') throw new Fault('lease.expired', `${session.who}: ${what}: the lease is over already`);
      await delay(wait, signal);
    }
  } catch (error) {
    await abortLease(session, ref);
    signal.throwIfAborted();
    throw toFault(error, session.who, what);
  }
}

/** HttpNfcLeaseAbort; one that is over or unknown is fine. Never throws. */
export async function abortLease(session: Session, ref: Ref): Promise<void> {
  try {
    await session.call('HttpNfcLeaseAbort', ref, AbortSignal.timeout(10_000));
  } catch (error) {
    if (isVimFault(error, 'ManagedObjectNotFound', 'InvalidState', 'Timedout')) return;
    session.log.warn(`${session.who}: the lease ${ref.id} could not be given back`, { error: String(error) });
  }
}
