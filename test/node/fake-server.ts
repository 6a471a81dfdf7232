import { randomUUID } from 'node:crypto';
import { type ClientHttp2Session, connect } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { json } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { parseAddress } from '../../src/base/address.ts';
import { createIdentity, type Identity, signWith, verifyWith } from '../../src/base/identity.ts';
import type { Relay } from '../../src/base/relay.ts';
import { dialIdentity, identityServerOptions, pinOfPeer } from '../../src/base/tls.ts';
import { Fault, type FaultReport } from '../../src/model/fault.ts';
import { askUpgrade } from '../../src/node/upgrade.ts';
import { JOIN_PATH } from '../../src/protocol/join.ts';
import { LINK_PATH, LINK_UPGRADE } from '../../src/protocol/link.ts';
import { TICKET_HEADER, writeTicket } from '../../src/protocol/peer.ts';
import { readVisit, relayAnswer } from '../../src/protocol/relay.ts';
import type { Ticket, WorkOrder, WorkState } from '../../src/protocol/work.ts';

/** One link, seen from the server: it asks, the node answers. */
export class FakeLink {
  readonly #session: ClientHttp2Session;
  readonly #socket: Duplex;

  constructor(socket: Duplex) {
    this.#socket = socket;
    this.#session = connect('http://node', { createConnection: () => socket });
    this.#session.on('error', () => {});
  }

  get open(): boolean {
    return !this.#session.destroyed && !this.#session.closed;
  }

  async ask<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const stream = this.#session.request({
      ':method': method,
      ':path': path,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    });
    stream.end(text);
    const status = await new Promise<number>((resolve, reject) => {
      stream.once('response', (headers) => resolve(Number(headers[':status'])));
      stream.once('error', reject);
      stream.once('close', () => reject(new Error('the link broke')));
    });
    const answer = await json(stream);
    if (status >= 400) throw Fault.fromReport(answer as FaultReport);
    return answer as T;
  }

  async *lines(path: string): AsyncIterable<unknown> {
    const stream = this.#session.request({ ':method': 'GET', ':path': path });
    stream.setEncoding('utf8');
    let rest = '';
    try {
      for await (const chunk of stream) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line);
      }
    } finally {
      stream.destroy();
    }
  }

  cut(): void {
    this.#socket.destroy();
  }
}

/** The server's side of join and link, as small as a test needs it. */
export class FakeServer implements AsyncDisposable {
  readonly id = randomUUID();
  readonly identity: Identity;
  /** The newest link of each node, by pin. */
  readonly links = new Map<string, FakeLink>();
  readonly secrets = new Set<string>();
  /** Pins that joined. */
  readonly joined: string[] = [];
  linksMade = 0;
  refuse = false;
  /** Nodes may meet on its port; what the relay was told by them is seen here. */
  relay: Relay | undefined;
  onRelayed: (chunk: Buffer) => void = () => {};
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Duplex>();

  constructor(identity: Identity) {
    this.identity = identity;
    this.#server = createServer(identityServerOptions(identity), async (request, response) => {
      const question = (await json(request)) as { secret: string };
      const good = request.url === JOIN_PATH && this.secrets.delete(question.secret);
      const pin = pinOfPeer(request.socket as TLSSocket);
      if (good && pin !== null) this.joined.push(pin);
      const refusal = new Fault('node.join-refused', 'the token was used already').report();
      const answer = { node: randomUUID(), server: this.id, certificate: identity.certificate };
      response.writeHead(good ? 200 : 403, { 'content-type': 'application/json' });
      response.end(JSON.stringify(good ? answer : refusal));
    });
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
    });
    this.#openRelay();
    this.#server.on('upgrade', (_message, socket: TLSSocket, head: Buffer) => {
      if (this.refuse) return socket.destroy();
      const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', `Upgrade: ${LINK_UPGRADE}`];
      socket.write(`${[...lines, 'cloudspan-protocol: 1'].join('\r\n')}\r\n\r\n`, () => {
        if (head.length > 0) socket.unshift(head);
        this.#linked(pinOfPeer(socket) ?? '', socket);
      });
    });
  }

  #openRelay(): void {
    this.#server.on('connect', async (message, socket: TLSSocket) => {
      const { pin } = this.identity;
      const visit = {
        authority: message.url,
        ticket: message.headers[TICKET_HEADER],
        caller: pinOfPeer(socket),
        relay: pin,
      };
      try {
        if (this.relay === undefined) throw new Fault('auth.forbidden', 'no relay');
        const { ticket, side } = readVisit(visit, (text, signature) =>
          verifyWith(this.identity.certificate, text, signature),
        );
        const greet = () => {
          socket.write(relayAnswer(null));
          socket.on('data', (chunk: Buffer) => this.onRelayed(chunk));
        };
        await this.relay.meet({
          owner: ticket.owner,
          meeting: ticket.transfer,
          side,
          pin: ticket[side],
          socket,
          greet,
        });
      } catch (error) {
        socket.end(relayAnswer(Fault.from(error, 'relay')), () => socket.destroy());
      }
    });
  }

  static async start(): Promise<FakeServer> {
    const server = new FakeServer(await createIdentity('server'));
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  token(change: { expires?: string; pin?: string } = {}): string {
    const secret = randomUUID();
    this.secrets.add(secret);
    const expires = new Date(Date.now() + 60_000).toISOString();
    const token = { server: this.address, pin: this.identity.pin, secret, expires, ...change };
    return `cs1.${Buffer.from(JSON.stringify(token)).toString('base64url')}`;
  }

  async dial(address: string, pin: string): Promise<FakeLink> {
    const { signal } = new AbortController();
    const socket = await dialIdentity(parseAddress(address), this.identity, pin, signal);
    this.#sockets.add(socket);
    return this.#linked(
      pin,
      await askUpgrade(socket, { path: LINK_PATH, upgrade: LINK_UPGRADE, who: address }, signal),
    );
  }

  ticket(ticket: Pick<Ticket, 'transfer' | 'source' | 'destination' | 'dialer'> & Partial<Ticket>): string {
    const whole = { owner: 'team', expires: new Date(Date.now() + 3600_000).toISOString(), ...ticket };
    return writeTicket(whole, (text) => signWith(this.identity, text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #linked(pin: string, socket: Duplex): FakeLink {
    const link = new FakeLink(socket);
    this.links.set(pin, link);
    this.linksMade++;
    return link;
  }
}

export async function until<T>(what: () => T | Promise<T>, seconds = 20): Promise<NonNullable<T>> {
  for (const end = Date.now() + seconds * 1000; ; ) {
    const value = await what();
    if (value) return value as NonNullable<T>;
    if (Date.now() > end) throw new Error(`nothing after ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Long-polls a work until it ended, or `enough` says so. */
export async function follow(
  link: () => FakeLink | undefined,
  work: string,
  enough: (state: WorkState) => boolean = () => false,
): Promise<WorkState> {
  let revision = -1;
  for (;;) {
    try {
      const state = await link()?.ask<WorkState>('GET', `/work/${work}?revision=${revision}&seconds=5`);
      if (state === undefined) throw new Error('no link');
      revision = state.revision;
      if (['done', 'failed', 'cancelled'].includes(state.phase) || enough(state)) return state;
    } catch (error) {
      if (error instanceof Fault) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export function exportOrder(change: {
  object: string;
  ticket: string;
  cloud: string;
  job?: string;
  epoch?: number;
}): WorkOrder {
  return { kind: 'export', epoch: 1, owner: 'team', job: 'job-1', marker: 'm-1', ...change };
}

export function importOrder(change: {
  name: string;
  ticket: string;
  cloud: string;
  job?: string;
  epoch?: number;
}): WorkOrder {
  const { name, ...rest } = change;
  return {
    kind: 'import',
    epoch: 1,
    owner: 'team',
    job: 'job-1',
    marker: 'm-1',
    networkNames: {},
    order: {
      name,
      destination: 'top',
      placement: {},
      networks: {},
      keepMac: false,
      keepUuid: false,
      onNameClash: 'fail',
      properties: {},
      acceptEulas: false,
    },
    ...rest,
  };
}
