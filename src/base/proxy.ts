import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { Fault } from '../model/fault.ts';
import type { HttpProxy } from '../model/proxy.ts';

const ANSWER_MILLISECONDS = 20_000;

/**
 * Asks the proxy for a way to the target; what is then said on the socket is said to the target. TLS runs inside, from
 * end to end. Faults: `proxy.credentials` (407), `proxy.refused` (403 and other refusals), `proxy.unreachable` (it does
 * not reach the target, or speaks no HTTP). The socket is the caller's, also after a fault.
 */
export async function openTunnel(
  socket: Duplex,
  proxy: HttpProxy,
  target: { host: string; port: number },
  signal: AbortSignal,
): Promise<void> {
  const { host, port, credentials } = proxy;
  const authority = `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
  const headers = {
    host: authority,
    ...(credentials === undefined
      ? {}
      : { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }),
  };
  let status: number;
  try {
    status = (await askConnect(socket, authority, headers, ANSWER_MILLISECONDS, signal)).status;
  } catch (error) {
    signal.throwIfAborted();
    const why = (error as Error).message;
    throw new Fault('proxy.unreachable', `proxy ${host}:${port} gave no way to ${authority}: ${why}`, {
      details: { step: 'proxy' },
    });
  }
  if (status < 200 || status > 299) throw refusal(status, `${host}:${port}`, authority, credentials !== undefined);
}

function refusal(status: number, proxy: string, target: string, known: boolean): Fault {
  const details = { step: 'proxy', status };
  if (status === 407) {
    const what = known ? 'refuses this user name and password' : 'asks for a user name and password';
    return new Fault('proxy.credentials', `proxy ${proxy} ${what} (407) on the way to ${target}`, { details });
  }
  if (status === 502 || status === 503 || status === 504) {
    return new Fault('proxy.unreachable', `proxy ${proxy} does not reach ${target} (${status})`, {
      details,
      remedy: 'Check name, address and firewall between the proxy and the target; an exception leads around the proxy.',
    });
  }
  return new Fault('proxy.refused', `proxy ${proxy} does not allow CONNECT to ${target} (${status})`, { details });
}

export interface ConnectAnswer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
}

/** One CONNECT on a socket that is open already; bytes that came behind the answer are put back into the socket. */
export function askConnect(
  socket: Duplex,
  authority: string,
  headers: Record<string, string>,
  milliseconds: number,
  signal: AbortSignal,
): Promise<ConnectAnswer> {
  return new Promise((resolve, reject) => {
    const call = request({
      createConnection: () => socket,
      method: 'CONNECT',
      path: authority,
      headers,
      signal,
      maxHeaderSize: 32 * 1024,
    });
    const timer = setTimeout(
      () => call.destroy(new Error(`no answer for ${Math.round(milliseconds / 1000)} s`)),
      milliseconds,
    );
    const end = () => clearTimeout(timer);
    call.once('error', (error) => {
      end();
      reject(error);
    });
    call.once('connect', (answer, _socket, head) => {
      end();
      socket.on('error', () => {});
      if (head.length > 0) socket.unshift(head);
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers });
    });
    call.end();
  });
}
