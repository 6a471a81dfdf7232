import { connect, isIP, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Fault } from '../model/fault.ts';
import type { Way } from '../model/proxy.ts';
import { openTunnel } from './proxy.ts';

export interface DialTarget {
  host: string;
  port: number;
}

/** What is taken on the way to an authenticated connection, in this order. */
export type DialStep = 'dns' | 'tcp' | 'proxy' | 'tls' | 'certificate';

/** Told of each step that was taken, once. */
export type DialTrace = (step: DialStep, milliseconds: number, found: string) => void;

export interface DialHow {
  /** Which proxy leads to a target; straight where it is absent. */
  way?: Way;
  trace?: DialTrace;
}

/** What went wrong on the way, and where. */
export class DialFailure extends Error {
  readonly step: DialStep;

  constructor(step: DialStep, error: unknown) {
    super(textOf(error), { cause: error });
    this.step = step;
  }
}

const SILENCE_MILLISECONDS = 20_000;
/** A further address is tried when the one before has not answered for so long. */
const STAGGER_MILLISECONDS = 300;

/**
 * A TCP connection to the target, through its proxy where it has one. Of a name with several addresses the first that
 * answers is taken, IPv6 and IPv4 alike. Rejects with `DialFailure`, a fault of the proxy, or the signal's reason.
 */
export async function dialTcp(target: DialTarget, how: DialHow, signal: AbortSignal): Promise<Socket> {
  const proxy = how.way?.(target) ?? null;
  if (proxy === null) return connectTcp(target, how.trace, signal);
  const at = `${proxy.host}:${proxy.port}`;
  let socket: Socket;
  try {
    socket = await connectTcp(proxy, how.trace, signal);
  } catch (error) {
    if (!(error instanceof DialFailure)) throw error;
    throw new Fault('proxy.unreachable', `proxy ${at} does not answer: ${error.message}`, {
      cause: error,
      details: { step: error.step },
    });
  }
  const begin = performance.now();
  try {
    await openTunnel(socket, proxy, target, signal);
    how.trace?.('proxy', performance.now() - begin, `proxy ${at} opened the way`);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function connectTcp(target: DialTarget, trace: DialTrace | undefined, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const begin = performance.now();
    let named = begin;
    let step: DialStep = isIP(target.host) === 0 ? 'dns' : 'tcp';
    const socket = connect({ host: target.host, port: target.port });
    const stop = (reason: unknown) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(reason);
    };
    const fail = (error: Error) => stop(new DialFailure(isNameError(error) ? 'dns' : step, error));
    const onAbort = () => stop(signal.reason);
    socket.setTimeout(SILENCE_MILLISECONDS, () => fail(new Error(`no answer for ${SILENCE_MILLISECONDS / 1000} s`)));
    socket.once('lookup', (error: Error | null, address) => {
      if (error !== null) return;
      named = performance.now();
      step = 'tcp';
      if (address !== target.host) trace?.('dns', named - begin, `${target.host} is ${address}`);
    });
    socket.on('error', fail);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.setTimeout(0);
      socket.removeAllListeners('timeout').removeListener('error', fail);
      socket.on('error', () => {});
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 30_000);
      trace?.('tcp', performance.now() - named, `connected to ${socket.remoteAddress} port ${socket.remotePort}`);
      resolve(socket);
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Dials several addresses of one and the same party, each a moment after the one before, and keeps the first that
 * answers; the others are closed. When none does: the fault of the only one, or one fault that names them all.
 */
export async function dialFirst<T extends { destroy(): unknown }>(
  targets: readonly DialTarget[],
  dial: (target: DialTarget, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const [only, ...others] = targets;
  if (only === undefined) throw new Fault('input.invalid', 'there is no address to dial');
  if (others.length === 0) return dial(only, signal);
  const settled = new AbortController();
  const until = AbortSignal.any([signal, settled.signal]);
  let won: T | undefined;
  let failures = 0;
  const wake = Array.from({ length: targets.length }, () => Promise.withResolvers<void>());
  const attempts = targets.map(async (target, index) => {
    if (index > 0) await Promise.race([wake[index - 1]?.promise, elapsed(STAGGER_MILLISECONDS * index, until)]);
    until.throwIfAborted();
    try {
      const socket = await dial(target, until);
      if (won !== undefined) socket.destroy();
      else won = socket;
      return socket;
    } catch (error) {
      wake[failures++]?.resolve();
      throw error;
    }
  });
  try {
    return await Promise.any(attempts);
  } catch (error) {
    signal.throwIfAborted();
    throw combined((error as AggregateError).errors);
  } finally {
    settled.abort();
  }
}

/** The gravest tells the code: another key than the pinned one is more than silence. */
function combined(errors: readonly unknown[]): Fault {
  const faults = errors.map((error) => Fault.from(error, 'dialling'));
  const worst = faults.find(({ retry }) => retry === 'never') ?? faults[0];
  const message = [...new Set(faults.map((fault) => fault.message))].join('; ');
  const { code = 'node.unreachable', remedy, retry, details } = worst ?? {};
  return new Fault(code, message, {
    ...(remedy === undefined ? {} : { remedy }),
    ...(retry === undefined ? {} : { retry }),
    ...(details === undefined ? {} : { details }),
    cause: worst,
  });
}

function elapsed(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, milliseconds);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    }
    signal.addEventListener('abort', end, { once: true });
  });
}

function isNameError(error: Error): boolean {
  return /^(ENOTFOUND|EAI_|ENODATA|ESERVFAIL)/.test((error as NodeJS.ErrnoException).code ?? '');
}

/** Of a name with several addresses Node answers one error that holds one for each. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return [...new Set(error.errors.map((one: Error) => one.message))].join(', ');
  }
  return error instanceof Error ? error.message : String(error);
}
