import { type Duplex, duplexPair } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { delay } from '../base/backoff.ts';
import type { Log } from '../base/log.ts';
import { Fault } from '../model/fault.ts';
import { readTicket, TICKET_HEADER } from '../protocol/peer.ts';
import type { Outward } from './outward.ts';
import { dialPeer, helloPeer } from './peer/dial.ts';
import { keepWaiting } from './peer/relay.ts';
import { changeOf } from './peer/route.ts';
import { Slots } from './peer/slots.ts';
import type { Caller } from './port.ts';
import { SocketQueue } from './socket-queue.ts';
import { checkTicket, otherSide, type TransferSide } from './tickets.ts';
import { acceptUpgrade } from './upgrade.ts';

/** Sockets with which a source waits at a relay. */
const WAITING_SOCKETS = 4;
const FIRST_WAIT_MILLISECONDS = 100;
const LONGEST_WAIT_MILLISECONDS = 3000;
/** A socket that lived shorter than this counts as a failure. */
const GOOD_SOCKET_MILLISECONDS = 1000;

export interface PeerOptions {
  /** The joined server whose transfer it is. */
  server: string;
  transfer: string;
  /** The ticket as it is now: the server may renew it. */
  ticket: () => string;
  /** Told when the other side cannot be reached, and null when it can again. */
  trouble: (fault: Fault | null) => void;
  /** How many sockets a dialling source keeps open; default 4. */
  slots?: Slots;
}

/** The sockets between two nodes for the transfers that this node has part in; equal nodes get a pipe in memory. */
export class Peers {
  readonly #outward: Outward;
  readonly #log: Log;
  readonly #known = new Map<string, (socket: Duplex) => void>();

  constructor(outward: Outward, log: Log) {
    this.#outward = outward;
    this.#log = log;
  }

  /** Whether a work here will offer this transfer: a receiver that has everything still has to tell it so. */
  expects: (server: string, transfer: string) => boolean = () => false;

  /** Where sockets go that met at a relay: to the door for dialling nodes. */
  dialled: (socket: TLSSocket) => void = (socket) => socket.destroy();

  #notHere(server: string, transfer: string): Fault {
    return this.expects(server, transfer)
      ? new Fault('transfer.lost', `transfer ${transfer} is about to begin here`)
      : new Fault('transfer.unknown', `transfer ${transfer} has not begun here`);
  }

  /** The door for dialling nodes. */
  async admit({ message, socket, head, pin }: Caller): Promise<void> {
    const text = message.headers[TICKET_HEADER];
    if (typeof text !== 'string') throw new Fault('auth.forbidden', 'a peer has to bring a ticket');
    const { ticket, server } = this.#checkAsDialled(text);
    if (pin !== ticket[ticket.dialer]) {
      throw new Fault('auth.forbidden', `the ticket of transfer ${ticket.transfer} is not for the node that brings it`);
    }
    const take = this.#known.get(keyOf(server.id, ticket.transfer, otherSide(ticket.dialer)));
    if (take === undefined) throw this.#notHere(server.id, ticket.transfer);
    await acceptUpgrade(message, socket, head, `node ${message.socket.remoteAddress}`);
    take(socket);
  }

  /**
   * The source's side: `accept` gets every socket until the abort; a renewed ticket may lead another way. Resolves after
   * the abort; rejects with a fault that waiting cannot mend (a foreign ticket, another key than the pinned one, no
   * common protocol).
   */
  async serve(options: PeerOptions, accept: (socket: Duplex) => void, signal: AbortSignal): Promise<void> {
    this.#check(options, 'source');
    const key = keyOf(options.server, options.transfer, 'source');
    this.#known.set(key, accept);
    try {
      while (!signal.aborted) {
        using change = changeOf(options.ticket);
        await this.#serveRoute(options, accept, AbortSignal.any([signal, change.signal]));
      }
    } finally {
      if (this.#known.get(key) === accept) this.#known.delete(key);
    }
  }

  async #serveRoute(options: PeerOptions, accept: (socket: Duplex) => void, signal: AbortSignal): Promise<void> {
    const { ticket } = this.#check(options, 'source');
    const waits = ticket.relay !== undefined;
    if (ticket.source === ticket.destination || (ticket.dialer === 'destination' && !waits)) return aborted(signal);
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    const check = () => this.#check(options, 'source');
    const wait = () => keepWaiting(check, this.#outward, (socket) => this.dialled(socket), options.trouble, until);
    const slots = options.slots ?? new Slots();
    try {
      if (waits) await Promise.all(Array.from({ length: WAITING_SOCKETS }, wait));
      else await slots.keep((leave) => this.#keepDialling(options, leave, accept, until), until);
    } finally {
      stop.abort();
    }
  }

  /**
   * The destination's side: sockets as they are needed, dialled or waited for. Disposing closes what nobody took.
   * `take` faults: `node.unreachable`, `transfer.unknown`, `node.untrusted`, `auth.forbidden`, `protocol.version`.
   */
  receive(options: PeerOptions): { take: (signal: AbortSignal) => Promise<Duplex> } & Disposable {
    this.#check(options, 'destination');
    const key = keyOf(options.server, options.transfer, 'destination');
    const queue = new SocketQueue();
    const push = (socket: Duplex) => queue.push(socket);
    this.#known.set(key, push);
    const take = async (signal: AbortSignal): Promise<Duplex> => {
      for (;;) {
        using change = changeOf(options.ticket);
        try {
          const socket = await this.#takeByRoute(options, queue, AbortSignal.any([signal, change.signal]));
          options.trouble(null);
          return socket;
        } catch (error) {
          signal.throwIfAborted();
          if (change.signal.aborted) continue;
          const fault = Fault.from(error, `transfer ${options.transfer}`);
          options.trouble(fault);
          throw fault;
        }
      }
    };
    return {
      take,
      [Symbol.dispose]: () => {
        if (this.#known.get(key) === push) this.#known.delete(key);
        queue.close();
      },
    };
  }

  #takeByRoute(options: PeerOptions, queue: SocketQueue, signal: AbortSignal): Promise<Duplex> {
    const { ticket } = this.#check(options, 'destination');
    if (ticket.source === ticket.destination) return Promise.resolve(this.#pipe(options));
    return ticket.dialer === 'destination' ? this.#dial(options, 'destination', signal) : queue.take(signal);
  }

  /** Fault `auth.forbidden`: the ticket is not one for this side of a transfer of this server. */
  check(server: string, ticket: string, side: TransferSide): void {
    const { transfer } = readTicket(ticket).ticket;
    this.#check({ server, transfer, ticket: () => ticket }, side);
  }

  async #keepDialling(
    options: PeerOptions,
    leave: () => boolean,
    accept: (socket: Duplex) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const socket = await this.#dial(options, 'source', signal);
        options.trouble(null);
        const begin = Date.now();
        accept(socket);
        await closed(socket, signal);
        if (leave()) return;
        failures = Date.now() - begin > GOOD_SOCKET_MILLISECONDS ? 0 : failures + 1;
      } catch (error) {
        if (signal.aborted) return;
        const fault = Fault.from(error, `transfer ${options.transfer}`);
        if (fault.retry === 'never') throw fault;
        if (failures++ === 0) this.#log.info({ fault: fault.report() }, 'the peer cannot be reached yet');
        options.trouble(fault);
      }
      const longest = Math.min(LONGEST_WAIT_MILLISECONDS, FIRST_WAIT_MILLISECONDS * 2 ** Math.min(failures, 8));
      if (failures > 0) await delay(longest * (0.5 + Math.random() / 2), signal).catch(() => {});
    }
  }

  async #dial(options: PeerOptions, side: TransferSide, signal: AbortSignal): Promise<Duplex> {
    const checked = this.#check(options, side);
    return helloPeer(await dialPeer(checked, this.#outward, signal), checked, signal);
  }

  #pipe(options: PeerOptions): Duplex {
    const accept = this.#known.get(keyOf(options.server, options.transfer, 'source'));
    if (accept === undefined) throw this.#notHere(options.server, options.transfer);
    const [mine, theirs] = duplexPair();
    accept(theirs);
    return mine;
  }

  #check(options: Omit<PeerOptions, 'trouble'>, side: TransferSide) {
    const checked = checkTicket(options.ticket(), side, this.#outward.identity, this.#outward.membership);
    if (checked.server.id !== options.server || checked.ticket.transfer !== options.transfer) {
      throw new Fault('auth.forbidden', `the ticket is not for transfer ${options.transfer}`);
    }
    return checked;
  }

  #checkAsDialled(text: string) {
    try {
      const asDestination = checkTicket(text, 'destination', this.#outward.identity, this.#outward.membership);
      if (asDestination.ticket.dialer === 'source') return asDestination;
    } catch (error) {
      if (!(error instanceof Fault) || error.retry === 'soon') throw error;
    }
    const asSource = checkTicket(text, 'source', this.#outward.identity, this.#outward.membership);
    if (asSource.ticket.dialer === 'destination') return asSource;
    throw new Fault('auth.forbidden', `by the ticket of transfer ${asSource.ticket.transfer} this node has to dial`);
  }
}

function keyOf(server: string, transfer: string, side: TransferSide): string {
  return JSON.stringify([server, transfer, side]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function closed(socket: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed || signal.aborted) return resolve();
    const end = () => {
      signal.removeEventListener('abort', end);
      resolve();
    };
    socket.once('close', end);
    signal.addEventListener('abort', end, { once: true });
  });
}
