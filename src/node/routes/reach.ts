import type { TLSSocket } from 'node:tls';
import type { Handlers } from '../api.ts';
import type { Outward } from '../outward.ts';
import { tryAddress, tryTicket } from '../reach.ts';

/** @param take gets the socket of a peer that was met at a relay. */
export function reachRoute(outward: Outward, take: (socket: TLSSocket) => void): Pick<Handlers, 'reach'> {
  return {
    reach: ({ body, signal }) =>
      body.ticket === undefined
        ? tryAddress(outward, body.address, body.pin, signal)
        : tryTicket(outward, body.ticket, take, signal),
  };
}
