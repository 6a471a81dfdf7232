import { CloudHttp, type CloudRequest, type CloudResponse } from '../../base/http.ts';
import { Fault } from '../../model/fault.ts';
import type { ConnectSettings, DriverLog } from '../driver.ts';
import { faultOfAnswer, readErrorBody } from './faults.ts';
import { requireOrigin, signIn } from './login.ts';
import { type Account, isProvider, readAccount } from './options.ts';
import { type ApiVersion, compareVersions, negotiate } from './versions.ts';
import { parseXml, type XmlElement } from './xml.ts';

export interface Call {
  method: CloudRequest['method'];
  /** As the cloud gave it, or a path from the root. */
  href: string;
  /** What is attempted, for the sentence of a fault: `read vApp "web"`. */
  what: string;
  /** Media type of `body`. */
  type?: string;
  /** A string can be sent again after the session was renewed, a stream cannot: then the fault is `cloud.session`. */
  body?: string | AsyncIterable<Uint8Array>;
  /** Default: `application/*+xml` in the version agreed on. */
  accept?: string;
  headers?: Record<string, string>;
  signal: AbortSignal;
}

/**
 * One signed-in session. An expired one (401) is renewed once per call and silently, by one sign-in for all calls that
 * wait; a refused sign-in is remembered and never sent again.
 */
export class Session {
  readonly who: string;
  readonly origin: string;
  readonly organization: string;
  readonly isProvider: boolean;
  readonly version: string;
  readonly log: DriverLog;
  readonly http: CloudHttp;
  readonly #account: Account;
  readonly #api: ApiVersion;
  #token: string;
  #renewing: Promise<void> | undefined;
  #refused: Fault | undefined;
  /** Ends at close: a renewal belongs to no single caller. */
  readonly #life = new AbortController();
  #closed = false;

  private constructor(http: CloudHttp, account: Account, api: ApiVersion, token: string, who: string, log: DriverLog) {
    this.http = http;
    this.who = who;
    this.log = log;
    this.origin = account.origin;
    this.organization = account.organization;
    this.isProvider = isProvider(account.organization);
    this.version = api.text;
    this.#account = account;
    this.#api = api;
    this.#token = token;
  }

  static async open(settings: ConnectSettings, signal: AbortSignal): Promise<Session> {
    const who = `cloud-director ${settings.label}`;
    const account = readAccount(settings.options);
    const http = new CloudHttp({ trust: settings.trust, who, stallSeconds: settings.stallSeconds, way: settings.way });
    try {
      const api = await negotiate(http, account.origin, who, signal);
      const token = await signIn(http, account, api, who, signal);
      return new Session(http, account, api, token, who, settings.log);
    } catch (error) {
      await http.close();
      throw error;
    }
  }

  /** Whether the agreed version is this one or later: `serves('37.1')`. */
  serves(version: string): boolean {
    return compareVersions(this.version, version) >= 0;
  }

  /** Any call; an answer that is no success becomes a fault. The body of the answer must be read or destroyed. */
  async call(call: Call): Promise<CloudResponse> {
    let token = this.#token;
    let response = await this.#send(call, token);
    if (response.status === 401) {
      response.body.destroy();
      await this.#renew(token);
      call.signal.throwIfAborted();
      if (call.body !== undefined && typeof call.body !== 'string') {
        throw new Fault('cloud.session', `${this.who}: ${call.what}: the session ended on the way and was renewed`);
      }
      token = this.#token;
      response = await this.#send(call, token);
    }
    if (response.status >= 200 && response.status < 300) return response;
    const { status, headers } = response;
    const text = await response.text(1024 * 1024).catch(() => '');
    const error = readErrorBody(status, headers['content-type'] ?? '', text);
    throw faultOfAnswer({ who: this.who, what: call.what, method: call.method, status, headers, error });
  }

  /** A call whose answer is XML. Fault `cloud.protocol` when it is not. */
  async read(href: string, what: string, signal: AbortSignal): Promise<XmlElement> {
    const text = await this.readText(href, what, signal);
    return parseXml(text, `${this.who}: ${what}`);
  }

  async readText(href: string, what: string, signal: AbortSignal, accept?: string): Promise<string> {
    const response = await this.call({
      method: 'GET',
      href,
      what,
      signal,
      ...(accept === undefined ? {} : { accept }),
    });
    return response.text();
  }

  /** A call that changes something; null when the answer has no body. */
  async send(call: Call): Promise<XmlElement | null> {
    const response = await this.call(call);
    const text = await response.text();
    return text.trim() === '' ? null : parseXml(text, `${this.who}: ${call.what}`);
  }

  url(href: string): URL {
    return requireOrigin(href.startsWith('/') ? this.origin + href : href, this.origin, this.who);
  }

  /** Signs out. Never throws. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#life.abort();
    if (this.#refused === undefined) {
      const call: Call = {
        method: 'DELETE',
        href: '/api/session',
        what: 'sign out',
        signal: AbortSignal.timeout(5_000),
      };
      await this.#send(call, this.#token).then(
        (response) =>
          response.text().then(
            () => undefined,
            () => undefined,
          ),
        () => undefined,
      );
    }
    await this.http.close().catch(() => undefined);
  }

  async #send(call: Call, token: string): Promise<CloudResponse> {
    if (this.#refused !== undefined) throw this.#refused;
    const { method, signal } = call;
    const headers: Record<string, string> = {
      accept: call.accept ?? `application/*+xml;version=${this.version}`,
      authorization: `Bearer ${token}`,
      ...(call.type === undefined ? {} : { 'content-type': call.type }),
      ...(call.body === undefined && method !== 'GET' && method !== 'HEAD' ? { 'content-length': '0' } : {}),
      ...call.headers,
    };
    return this.http.request({
      method,
      url: this.url(call.href),
      headers,
      signal,
      ...(call.body === undefined ? {} : { body: call.body }),
    });
  }

  async #renew(used: string): Promise<void> {
    if (this.#closed) throw new Fault('cloud.session', `${this.who}: the session was closed`);
    if (this.#token !== used) return;
    this.#renewing ??= signIn(this.http, this.#account, this.#api, this.who, this.#life.signal)
      .then((token) => {
        this.#token = token;
        this.log.info(`${this.who}: the session had ended and was renewed`);
      })
      .catch((error: unknown) => {
        if (error instanceof Fault && error.code === 'auth.refused') this.#refused = error;
        throw error;
      })
      .finally(() => {
        this.#renewing = undefined;
      });
    await this.#renewing;
  }
}
