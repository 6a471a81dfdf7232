import { type Identity, signWith } from '../../base/identity.ts';
import { writeTicket } from '../../protocol/peer.ts';
import type { Ticket } from '../../protocol/work.ts';
import type { NodeRow } from '../store/nodes.ts';

/** A transfer may take days; the ticket is renewed whenever the job's step starts again. */
const TICKET_DAYS = 7;

/** Which of two nodes dials, and where; no address when one node serves both clouds, or where both meet at a relay. */
export type PeerRoute = Pick<Ticket, 'dialer' | 'address' | 'addresses' | 'relay'>;

type Place = Pick<NodeRow, 'id' | 'public' | 'address'>;

/**
 * By the public flag alone, untried: the non-public node dials the public one; of two public ones the destination dials.
 * Null where none can be dialled.
 */
export function likelyRoute(source: Place, destination: Place): PeerRoute | null {
  if (source.id === destination.id) return { dialer: 'destination' };
  if (source.public && source.address !== null) return { dialer: 'destination', address: source.address };
  if (destination.public && destination.address !== null) return { dialer: 'source', address: destination.address };
  return null;
}

/** Signed with the server's key; lets the two nodes recognise each other for this transfer. */
export function createTicket(
  identity: Identity,
  transfer: { id: string; owner: string; source: NodeRow; destination: NodeRow; route: PeerRoute },
  now = Date.now(),
): string {
  const { id, owner, source, destination, route } = transfer;
  return writeTicket(
    {
      transfer: id,
      owner,
      source: source.pin,
      destination: destination.pin,
      ...route,
      expires: new Date(now + TICKET_DAYS * 24 * 3600_000).toISOString(),
    },
    (json) => signWith(identity, json),
  );
}
