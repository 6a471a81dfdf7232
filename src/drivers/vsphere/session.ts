import { setTimeout as sleep } from 'node:timers/promises';
import { CloudHttp, type CloudRequest, type CloudResponse, retryAfterSeconds } from '../../base/http.ts';
import { Fault } from '../../model/fault.ts';
import type { Trust } from '../../model/option.ts';
import type { CloudAbout, ConnectSettings, DriverLog } from '../driver.ts';
import { child, type Element, parseDocument, type Ref, refOf, textOf } from './element.ts';
import { faultOfAnswer, isVimFault, toFault } from './faults.ts';
import { endpointOf, requiredValue } from './options.ts';
import { refusedLogin } from './refused-login.ts';
import { envelope, leaf } from './soap.ts';

const SERVICE: Ref = { type: 'ServiceInstance', id: 'ServiceInstance' };
/** Sent as SOAPAction; every vCenter since 6.5 speaks it. */
const API_VERSION = 'urn:vim25/6.5';

export interface CallOptions {
  /** For the sentence of a fault: `powering on "web-01"`. */
  what?: string;
  /** Elements after `_this`, in the order of the schema. */
  content?: string;
}

/**
 * One session of one user with a vCenter or an ESXi host: the cookie, the service content and every SOAP call.
 * Safe for concurrent calls. An expired session is renewed once per expiry, by one login whatever the number of calls
 * that noticed; what belonged to the old session (views, collectors, leases) is gone then.
 */
export class Session {
  /** `vsphere vc1`. */
  readonly who: string;
  readonly url: URL;
  readonly trust: Trust;
  readonly stallSeconds: number;
  readonly way: ConnectSettings['way'];
  readonly log: DriverLog;
  readonly #http: CloudHttp;
  readonly #username: string;
  #password: string;
  #cookie: string | undefined;
  #generation = 0;
  #renewal: Promise<void> | undefined;
  /** A refused login is never tried again: accounts get locked. */
  #refused: Fault | undefined;
  #content: Element | undefined;
  #key: string | undefined;
  #closed = false;

  constructor(settings: ConnectSettings) {
    this.who = `vsphere ${settings.label}`;
    this.url = endpointOf(settings.options);
    this.#username = requiredValue(settings.options, 'username');
    this.#password = requiredValue(settings.options, 'password');
    this.trust = settings.trust;
    this.stallSeconds = settings.stallSeconds;
    this.log = settings.log;
    this.way = settings.way;
    const { trust, stallSeconds, way } = settings;
    this.#http = new CloudHttp({ trust, who: this.who, stallSeconds, way });
  }

  /** The service content and a login. Faults as `Driver.connect` promises. */
  async open(signal: AbortSignal): Promise<void> {
    try {
      const answer = await this.#post('RetrieveServiceContent', SERVICE, '', signal);
      this.#content = child(answer, 'returnval');
      if (child(this.#content, 'about') === undefined) throw this.#notThisApi('its service content is empty');
      const api = textOf(this.#content, 'about', 'apiType');
      if (api !== 'VirtualCenter' && api !== 'HostAgent') throw this.#notThisApi(`it calls itself "${api ?? ''}"`);
      await this.#login(signal);
    } catch (error) {
      await this.#http.close();
      signal.throwIfAborted();
      throw toFault(error, this.who, 'signing in');
    }
  }

  /** The counter of logins: equal before and after means that nothing of the session was lost in between. */
  get generation(): number {
    return this.#generation;
  }

  /** Names this session to the vendor's managers; not the secret that the cookie holds. */
  get key(): string | undefined {
    return this.#key;
  }

  get cookie(): string | undefined {
    return this.#cookie;
  }

  /** A singleton of the service content: `rootFolder`, `propertyCollector`. Fault: `cloud.unsupported`. */
  service(name: string): Ref {
    const ref = this.serviceIfAny(name);
    if (ref === undefined) throw new Fault('cloud.unsupported', `${this.who}: this server has no ${name}`);
    return ref;
  }

  serviceIfAny(name: string): Ref | undefined {
    return refOf(this.#content, name);
  }

  async about(signal: AbortSignal): Promise<CloudAbout> {
    const about = child(this.#content, 'about');
    const time = textOf(await this.call('CurrentTime', SERVICE, signal), 'returnval');
    return {
      vendor: textOf(about, 'vendor') ?? 'VMware, Inc.',
      product: textOf(about, 'fullName') ?? textOf(about, 'name') ?? 'VMware vSphere',
      version: textOf(about, 'version') ?? '',
      apiVersion: textOf(about, 'apiVersion') ?? '',
      instance: textOf(about, 'instanceUuid') ?? `${this.url.host}`,
      user: this.#username,
      ...(time === undefined ? {} : { time }),
    };
  }

  /**
   * One call. Resolves with the response element. VimFaults of the vendor come through as they are, everything else is a
   * Fault. `NotAuthenticated` renews the session and repeats the call once.
   */
  async call(method: string, self: Ref, signal: AbortSignal, options: CallOptions = {}): Promise<Element> {
    if (this.#closed) throw new Fault('cloud.session', `${this.who}: the session is closed`);
    const generation = this.#generation;
    try {
      return await this.#post(method, self, options.content ?? '', signal);
    } catch (error) {
      if (!isVimFault(error, 'NotAuthenticated')) throw error;
      await this.#renew(generation);
      signal.throwIfAborted();
      return await this.#post(method, self, options.content ?? '', signal);
    }
  }

  /** Like `call`, with the vendor's faults as Faults. */
  async ask(method: string, self: Ref, signal: AbortSignal, what: string, content = ''): Promise<Element> {
    try {
      return await this.call(method, self, signal, { content });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw toFault(error, this.who, what);
    }
  }

  /**
   * A request below the address of the API with the session's cookie (files of datastores). An ended session is renewed;
   * what has a body cannot be sent again then and ends in `cloud.session`. 429 and 503 are `cloud.busy`.
   */
  async file(path: string, request: Omit<CloudRequest, 'url'>): Promise<CloudResponse> {
    if (this.#closed) throw new Fault('cloud.session', `${this.who}: the session is closed`);
    const url = new URL(path, this.url);
    for (let again = false; ; again = true) {
      const generation = this.#generation;
      const cookie = this.#cookie ?? '';
      const response = await this.#http.request({ ...request, url, headers: { ...request.headers, cookie } });
      if (response.status === 429 || response.status === 503) {
        response.body.destroy();
        throw busy(this.who, response);
      }
      if (response.status !== 401 || again) return response;
      response.body.destroy();
      await this.#renew(generation);
      request.signal.throwIfAborted();
      if (request.body !== undefined) {
        throw new Fault('cloud.session', `${this.who}: the session ended on the way and was renewed`);
      }
    }
  }

  /** The body of an answer as chunks. Fault: `cloud.unreachable`. */
  chunks(response: CloudResponse, signal: AbortSignal): AsyncIterable<Buffer> {
    return this.#http.chunks(response, this.url, signal);
  }

  /** Logs out and frees sockets. Idempotent; never throws. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // A login on its way would open a session that nobody ends.
    await Promise.race([this.#renewal?.catch(() => undefined), sleep(5000, undefined, { ref: false })]);
    try {
      if (this.#cookie !== undefined) {
        await this.#post('Logout', this.service('sessionManager'), '', AbortSignal.timeout(5000));
      }
    } catch {
      // The session ends by itself on the server's side.
    }
    this.#cookie = undefined;
    this.#password = '';
    await this.#http.close();
  }

  #renew(generation: number): Promise<void> {
    if (this.#closed) return Promise.reject(new Fault('cloud.session', `${this.who}: the session is closed`));
    if (this.#generation !== generation) return Promise.resolve();
    this.#renewal ??= this.#login(AbortSignal.timeout(this.stallSeconds * 1000))
      .catch((error) => {
        throw toFault(error, this.who, 'signing in again');
      })
      .finally(() => {
        this.#renewal = undefined;
      });
    return this.#renewal;
  }

  async #login(signal: AbortSignal): Promise<void> {
    if (this.#refused !== undefined) throw this.#refused;
    if (this.#generation > 0) this.#cookie = undefined;
    const content = leaf('userName', this.#username) + leaf('password', this.#password) + leaf('locale', 'en_US');
    try {
      const answer = await this.#post('Login', this.service('sessionManager'), content, signal);
      this.#key = textOf(child(answer, 'returnval'), 'key');
    } catch (error) {
      if (!isVimFault(error, 'InvalidLogin', 'PasswordExpired', 'NoPermission')) throw error;
      this.#refused = refusedLogin(this.who, this.#username, error.type);
      throw this.#refused;
    }
    if (this.#cookie === undefined) throw new Fault('cloud.protocol', `${this.who}: the login gave no cookie`);
    this.#generation++;
  }

  async #post(method: string, self: Ref, content: string, signal: AbortSignal): Promise<Element> {
    const response = await this.#http.request({
      method: 'POST',
      url: this.url,
      headers: {
        'content-type': 'text/xml; charset=utf-8',
        soapaction: API_VERSION,
        ...(this.#cookie === undefined ? {} : { cookie: this.#cookie }),
      },
      body: envelope(method, self, content),
      signal,
    });
    const text = await response.text();
    if (method === 'Login' || method === 'RetrieveServiceContent') this.#keepCookie(response);
    if (response.status === 429 || response.status === 503) throw busy(this.who, response);
    if (response.status !== 200 && response.status !== 500) {
      throw response.status === 404 && method === 'RetrieveServiceContent'
        ? this.#notThisApi('its answer is 404')
        : new Fault('cloud.protocol', `${this.who}: ${method} was answered with HTTP ${response.status}`);
    }
    if (!/^\s*</.test(text)) throw this.#notThisApi('its answer is not XML');
    const answer = child(parseDocument(text, this.who), 'Body')?.children[0];
    if (answer === undefined) throw new Fault('cloud.protocol', `${this.who}: the answer to ${method} has no body`);
    if (answer.name === 'Fault') throw faultOfAnswer(answer);
    return answer;
  }

  #keepCookie(response: CloudResponse): void {
    for (const line of response.cookies) {
      const pair = line.split(';', 1)[0]!.trim();
      if (pair.startsWith('vmware_soap_session=')) this.#cookie = pair;
    }
  }

  #notThisApi(why: string): Fault {
    return new Fault('cloud.unsupported', `${this.who}: ${this.url.host} is no vCenter Server or ESXi host: ${why}`);
  }
}

export function busy(who: string, response: CloudResponse): Fault {
  return new Fault('cloud.busy', `${who}: the cloud asked to wait (HTTP ${response.status})`, {
    retryAfterSeconds: retryAfterSeconds(response.headers, 5),
  });
}
