import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind, Kinds } from './entities.ts';
import { badRequest, forbidden, Refusal } from './refusal.ts';
import type { Caller, Simulator } from './simulator.ts';
import { parseXml, type XmlElement } from './xml/tree.ts';
import type { Markup } from './xml/writer.ts';

/** What a document is written for: whose eyes, which host name, which version. */
export interface View {
  readonly sim: Simulator;
  /** Absolute form of a path, with the host as the caller addressed it. */
  href(path: string): string;
  readonly version: number;
  readonly caller: Caller;
}

export interface Reply {
  status: number;
  type?: string;
  xml?: Markup;
  json?: unknown;
  text?: string;
  headers?: Record<string, string | string[]>;
  /** The handler wrote the response itself. */
  sent?: true;
}

const maximumBody = 16 * 2 ** 20;

/** One HTTP call after routing and login. */
export class Call implements View {
  readonly sim: Simulator;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly path: string;
  readonly rawQuery: string;
  readonly params: Readonly<Record<string, string>>;
  readonly version: number;
  readonly #caller: Caller | undefined;
  /** Bytes per second that a fault rule allows; 0 = no limit. */
  readonly bytesPerSecond: number;
  /** Bytes of body after which a fault rule cuts the connection; undefined = never. */
  readonly cutAfterBytes: number | undefined;
  /** How long a fault rule holds the call after its body was read. */
  readonly #lateMilliseconds: number;

  constructor(parts: {
    sim: Simulator;
    request: IncomingMessage;
    response: ServerResponse;
    path: string;
    rawQuery: string;
    params: Record<string, string>;
    version: number;
    caller: Caller | undefined;
    bytesPerSecond: number;
    cutAfterBytes: number | undefined;
    lateMilliseconds: number;
  }) {
    this.sim = parts.sim;
    this.request = parts.request;
    this.response = parts.response;
    this.method = parts.request.method ?? 'GET';
    this.path = parts.path;
    this.rawQuery = parts.rawQuery;
    this.params = parts.params;
    this.version = parts.version;
    this.#caller = parts.caller;
    this.bytesPerSecond = parts.bytesPerSecond;
    this.cutAfterBytes = parts.cutAfterBytes;
    this.#lateMilliseconds = parts.lateMilliseconds;
  }

  get caller(): Caller {
    if (this.#caller === undefined) throw new Refusal(401, 'UNAUTHORIZED', 'Log in first.');
    return this.#caller;
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.rawQuery);
  }

  href(path: string): string {
    return `https://${this.request.headers.host ?? 'localhost'}${path}`;
  }

  /** The path parameter `id` without its kind prefix (`vapp-`, `vm-`, `vappTemplate-`). */
  get id(): string {
    return (this.params.id ?? '').replace(/^(vapp|vm|vappTemplate)-/, '').toLowerCase();
  }

  /** The entity of the path, when the caller may see it; else the vendor's 403. */
  entity<K extends Kind>(kind: K, id = this.id): Kinds[K] {
    return visible(this, kind, id);
  }

  async text(): Promise<string> {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of this.request) {
      bytes += (part as Buffer).length;
      if (bytes > maximumBody) throw new Refusal(413, 'BAD_REQUEST', 'The request body is too large.');
      parts.push(part as Buffer);
    }
    if (this.#lateMilliseconds > 0) await sleep(this.#lateMilliseconds, undefined, { signal: this.sim.closing });
    return Buffer.concat(parts).toString('utf8');
  }

  /** The body as XML; `root` lists the accepted root elements. */
  async xml(...root: string[]): Promise<XmlElement> {
    const text = await this.text();
    if (text.trim() === '') throw badRequest(`The request needs a ${root.join(' or ')} document.`);
    const element = parseXml(text);
    if (root.length > 0 && !root.includes(element.local)) {
      throw badRequest(`The request body is a ${element.local}; expected ${root.join(' or ')}.`);
    }
    return element;
  }

  async json(): Promise<unknown> {
    try {
      return JSON.parse(await this.text());
    } catch {
      throw badRequest('The request body is not JSON.');
    }
  }
}

export function mayUse(view: View, org: string): boolean {
  return view.caller.system || view.caller.user.org === org;
}

export function visible<K extends Kind>(view: View, kind: K, id: string): Kinds[K] {
  const found = view.sim.store.get(kind, id);
  if (found === undefined || !mayUse(view, found.org)) throw forbidden(`${kind} ${id}`);
  return found;
}

/** Takes the UUID out of an href or URN and finds the entity; 400 INVALID_REFERENCE when it is not there. */
export function referred<K extends Kind>(view: View, kind: K, reference: string | undefined): Kinds[K] {
  const id = uuidIn(reference);
  const found = id === undefined ? undefined : view.sim.store.get(kind, id);
  if (found === undefined || !mayUse(view, found.org)) {
    throw new Refusal(
      400,
      'INVALID_REFERENCE',
      `The reference "${reference ?? ''}" names no ${kind} that you can use.`,
    );
  }
  return found;
}

/** The last UUID in an href, URN or plain id. */
export function uuidIn(text: string | undefined): string | undefined {
  return text
    ?.toLowerCase()
    .match(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g)
    ?.at(-1);
}

export type Handler = (call: Call) => Reply | Promise<Reply>;

export interface Route {
  method: string;
  /** Path with `:name` for one segment. */
  path: string;
  handler: Handler;
  /** No login needed. */
  open?: true;
}

export function get(path: string, handler: Handler): Route {
  return { method: 'GET', path, handler };
}
export function post(path: string, handler: Handler): Route {
  return { method: 'POST', path, handler };
}
export function put(path: string, handler: Handler): Route {
  return { method: 'PUT', path, handler };
}
export function remove(path: string, handler: Handler): Route {
  return { method: 'DELETE', path, handler };
}

export function document(type: string, xml: Markup, status = 200): Reply {
  return { status, type, xml };
}

export const noContent: Reply = { status: 204 };
