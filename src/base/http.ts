import { Readable } from 'node:stream';
import { type Dispatcher, errors, Pool } from 'undici';
import { Fault } from '../model/fault.ts';
import type { Way } from '../model/proxy.ts';
import { type CloudTrust, dialCloud } from './tls.ts';
import { chunkPassed } from './young-garbage.ts';

export interface CloudRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Absolute; https only. */
  url: string | URL;
  headers?: Record<string, string | string[]>;
  /** A stream is sent as it comes (chunked unless content-length is given). */
  body?: string | Buffer | Readable | AsyncIterable<Uint8Array>;
  signal: AbortSignal;
}

export interface CloudResponse {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  /** `set-cookie` lines, whole. */
  cookies: string[];
  /** Must be read to its end, or destroyed. */
  body: Readable;
  /** The whole body as UTF-8. Fault `cloud.protocol` when it is longer than `limitBytes` (default 64 MiB). */
  text(limitBytes?: number): Promise<string>;
}

export interface CloudHttpOptions {
  trust: CloudTrust;
  /** `vsphere vc1`: begins every sentence. */
  who: string;
  /** Silence after which a request is given up. */
  stallSeconds: number;
  /** Proxies on the way; straight when absent. */
  way?: Way | undefined;
  /** Sockets per origin. Default 8. */
  connections?: number;
}

/**
 * HTTPS to one cloud: certificates are checked by `trust` before the first byte of HTTP, one pool of sockets per origin,
 * no redirects followed, no retries. Faults: `cloud.unreachable`, `cloud.untrusted`, after close `cloud.session`. Status
 * codes are the caller's.
 */
export class CloudHttp {
  readonly #options: CloudHttpOptions;
  readonly #pools = new Map<string, Pool>();
  #closed = false;

  constructor(options: CloudHttpOptions) {
    this.#options = options;
  }

  async request(request: CloudRequest): Promise<CloudResponse> {
    const { who } = this.#options;
    const url = new URL(request.url);
    if (url.protocol !== 'https:') throw new Fault('cloud.untrusted', `${who}: ${url.origin} is not https`);
    request.signal.throwIfAborted();
    if (this.#closed) throw new Fault('cloud.session', `${who}: the session is closed`);
    let answer: Dispatcher.ResponseData;
    try {
      answer = await this.#pool(url.origin).request({
        method: request.method,
        path: url.pathname + url.search,
        headers: request.headers ?? {},
        body: isIterable(request.body) ? Readable.from(request.body) : (request.body ?? null),
        signal: request.signal,
      });
    } catch (error) {
      request.signal.throwIfAborted();
      throw this.#fault(error, url);
    }
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    const cookies = answer.headers['set-cookie'] ?? [];
    const body = answer.body;
    body.on('error', () => {});
    return {
      status: answer.statusCode,
      headers,
      cookies: Array.isArray(cookies) ? cookies : [cookies],
      body,
      text: (limitBytes = 64 * 1024 * 1024) => this.#text(body, limitBytes, url, request.signal),
    };
  }

  /** The body as chunks, with broken connections and stalls as `cloud.unreachable`. */
  async *chunks(response: CloudResponse, url: string | URL, signal: AbortSignal): AsyncIterable<Buffer> {
    try {
      for await (const chunk of response.body) {
        chunkPassed((chunk as Buffer).length);
        yield chunk as Buffer;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw this.#fault(error, new URL(url));
    } finally {
      response.body.destroy();
    }
  }

  /** Ends every request on its way; later ones are refused with `cloud.session`. */
  async close(): Promise<void> {
    this.#closed = true;
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #pool(origin: string): Pool {
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      const { trust, who, stallSeconds, way, connections = 8 } = this.#options;
      const how = way === undefined ? {} : { way };
      pool = new Pool(origin, {
        connections,
        pipelining: 1,
        headersTimeout: stallSeconds * 1000,
        bodyTimeout: stallSeconds * 1000,
        keepAliveTimeout: 4_000,
        connect: (target, callback) => {
          const port = Number(target.port || 443);
          const host = target.hostname.replace(/^\[|\]$/g, '');
          dialCloud({ host, port }, trust, who, AbortSignal.timeout(stallSeconds * 1000), how).then(
            (socket) => callback(null, socket),
            (error) => callback(error, null),
          );
        },
      });
      this.#pools.set(origin, pool);
    }
    return pool;
  }

  async #text(body: Readable, limitBytes: number, url: URL, signal: AbortSignal): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of body) {
        bytes += (chunk as Buffer).length;
        if (bytes > limitBytes) break;
        chunks.push(chunk as Buffer);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw this.#fault(error, url);
    }
    if (bytes > limitBytes) {
      body.destroy();
      throw new Fault('cloud.protocol', `${this.#options.who}: ${url.pathname} answered more than ${limitBytes} bytes`);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #fault(error: unknown, url: URL): Fault {
    if (error instanceof Fault) return error;
    const { who, stallSeconds } = this.#options;
    const silent = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
    const why = silent ? `no byte for ${stallSeconds} s` : (error as Error).message;
    return new Fault('cloud.unreachable', `${who}: the connection to ${url.host} broke: ${why}`, { cause: error });
  }
}

function isIterable(body: CloudRequest['body']): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && body !== null && !(body instanceof Readable) && Symbol.asyncIterator in body;
}

/** Seconds of a Retry-After header (number or date), for `cloud.busy`. */
export function retryAfterSeconds(headers: Record<string, string>, fallback: number): number {
  const value = headers['retry-after'];
  if (value === undefined) return fallback;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 3600) : fallback;
}
