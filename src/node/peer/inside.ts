import { connect, TLSSocket } from 'node:tls';
import { DialFailure } from '../../base/dial.ts';
import type { Identity } from '../../base/identity.ts';
import { checkPin, identityClientOptions, identityServerOptions, secured } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';

/*
 * The TLS that two nodes do inside the way that a relay has opened: the relay sees nothing but its records.
 */

const WHO = 'the other node behind the relay';

/** The dialer's end. Faults: `node.unreachable`, `node.untrusted`. The outer socket is closed with the inner one. */
export function secureAsDialer(
  outer: TLSSocket,
  identity: Identity,
  pin: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return secure(connect({ ...identityClientOptions(identity), socket: outer }), 'secureConnect', pin, signal);
}

/** The end of the one that is dialled. */
export function secureAsDialled(
  outer: TLSSocket,
  identity: Identity,
  pin: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return secure(new TLSSocket(outer, { isServer: true, ...identityServerOptions(identity) }), 'secure', pin, signal);
}

async function secure(socket: TLSSocket, event: 'secureConnect' | 'secure', pin: string, signal: AbortSignal) {
  try {
    return checkPin(await secured(socket, event, signal), pin, WHO);
  } catch (error) {
    if (!(error instanceof DialFailure)) throw error;
    throw new Fault('node.unreachable', `${WHO} does not answer: ${error.message}`, {
      cause: error,
      details: { step: 'tls' },
    });
  }
}
