import type { TLSSocket } from 'node:tls';
import { Fault } from '../model/fault.ts';

export interface RelayLimits {
  /** Connections of one owner, joined and waiting. */
  connections: number;
  waitMilliseconds: number;
  /** A joined pair without a byte for so long is closed. */
  idleMilliseconds: number;
}

export const RELAY_LIMITS: RelayLimits = { connections: 512, waitMilliseconds: 25_000, idleMilliseconds: 300_000 };

export interface RelayCaller {
  owner: string;
  /** Of the two that shall meet; only sockets of the same meeting are ever joined. */
  meeting: string;
  side: 'source' | 'destination';
  /** Key of the node that holds the socket. */
  pin: string;
  socket: TLSSocket;
  /** Tells the caller that what comes next is the other node's; written before any byte of it. */
  greet: () => void;
}

interface Waiting extends RelayCaller {
  meet(other: Waiting): void;
}

/**
 * Joins two sockets of the same meeting, one of each side, and carries bytes between them as they come: nothing is kept,
 * a slow reader slows the writer, and what one side ends the other sees ended. What the bytes mean is not its business.
 */
export class Relay {
  readonly #limits: RelayLimits;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #sockets = new Map<TLSSocket, RelayCaller>();

  constructor(limits: Partial<RelayLimits> = {}) {
    this.#limits = { ...RELAY_LIMITS, ...limits };
  }

  /** Connections of an owner right now. */
  connections(owner: string): number {
    return [...this.#sockets.values()].filter((one) => one.owner === owner).length;
  }

  /**
   * Resolves when the caller has met its other side; the sockets are the relay's from then on. Fault `transfer.lost`
   * (retry `soon`): nobody came, the owner has too many connections, or the caller went away.
   */
  meet(caller: RelayCaller): Promise<void> {
    const { owner, socket, meeting, side } = caller;
    if (this.connections(owner) >= this.#limits.connections) {
      const most = this.#limits.connections;
      return Promise.reject(new Fault('transfer.lost', `the relay carries no more than ${most} connections per owner`));
    }
    this.#sockets.set(socket, caller);
    socket.once('close', () => this.#sockets.delete(socket));
    const other = this.#take(keyOf(owner, meeting, side === 'source' ? 'destination' : 'source'));
    if (other !== undefined) {
      other.meet(caller as Waiting);
      this.#join(caller, other);
      return Promise.resolve();
    }
    return this.#wait(caller);
  }

  /** Closes every connection of a node whose key was forgotten. */
  drop(pin: string): void {
    for (const [socket, caller] of this.#sockets) if (caller.pin === pin) socket.destroy();
  }

  close(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #wait(caller: RelayCaller): Promise<void> {
    const { socket } = caller;
    const key = keyOf(caller.owner, caller.meeting, caller.side);
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        socket.removeListener('close', onClose);
        const rest = (this.#waiting.get(key) ?? []).filter((one) => one !== waiting);
        if (rest.length === 0) this.#waiting.delete(key);
        else this.#waiting.set(key, rest);
      };
      const fail = (why: string) => {
        leave();
        this.#sockets.delete(socket);
        reject(new Fault('transfer.lost', why));
      };
      const onClose = () => fail('the caller of the relay went away');
      const timer = setTimeout(
        () => fail(`the other node of transfer ${caller.meeting} did not come to the relay`),
        this.#limits.waitMilliseconds,
      );
      const waiting: Waiting = {
        ...caller,
        meet: () => {
          leave();
          resolve();
        },
      };
      socket.once('close', onClose);
      this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), waiting]);
    });
  }

  #take(key: string): Waiting | undefined {
    return this.#waiting.get(key)?.find(({ socket }) => !socket.destroyed);
  }

  #join(one: RelayCaller, other: RelayCaller): void {
    for (const [from, to] of [
      [one.socket, other.socket],
      [other.socket, one.socket],
    ] as const) {
      from.setTimeout(this.#limits.idleMilliseconds, () => from.destroy());
      from.once('close', () => to.destroy());
    }
    one.greet();
    other.greet();
    one.socket.pipe(other.socket);
    other.socket.pipe(one.socket);
  }
}

function keyOf(owner: string, meeting: string, side: RelayCaller['side']): string {
  return JSON.stringify([owner, meeting, side]);
}
