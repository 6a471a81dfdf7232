import { expect, test } from 'vitest';
import { createIdentity, verifyWith } from '../../base/identity.ts';
import { readTicket } from '../../protocol/peer.ts';
import type { NodeRow } from '../store/nodes.ts';
import { createTicket, likelyRoute, type PeerRoute } from './ticket.ts';

const node = (id: string, isPublic: boolean): NodeRow => ({
  id,
  owner: 'owner',
  name: id,
  pin: id.padEnd(64, '0'),
  certificate: '',
  link: 'dial-home',
  public: isPublic,
  address: isPublic ? `${id}.example:8443` : null,
  about: null,
});

test('the non-public node dials the public one, whichever side it is on', () => {
  expect(likelyRoute(node('a', false), node('b', true))).toEqual({ dialer: 'source', address: 'b.example:8443' });
  expect(likelyRoute(node('a', true), node('b', false))).toEqual({ dialer: 'destination', address: 'a.example:8443' });
});

test('of two public nodes the destination dials the source', () => {
  expect(likelyRoute(node('a', true), node('b', true))).toEqual({ dialer: 'destination', address: 'a.example:8443' });
});

test('one node for both clouds needs no address', () => {
  expect(likelyRoute(node('a', false), node('a', false))).toEqual({ dialer: 'destination' });
});

test('for two private nodes no way is likely', () => {
  expect(likelyRoute(node('a', false), node('b', false))).toBeNull();
});

test('a ticket names both pins and is signed by the key of the server', async () => {
  const identity = await createIdentity('server');
  const [source, destination] = [node('a', false), node('b', true)];
  const route: PeerRoute = { dialer: 'destination', relay: { pin: 'c'.repeat(64), addresses: [] } };
  const { ticket, json, signature } = readTicket(
    createTicket(
      identity,
      { id: 'job-1', owner: 'me', source, destination, route },
      Date.parse('2030-01-01T00:00:00Z'),
    ),
  );
  expect(verifyWith(identity.certificate, json, signature)).toBe(true);
  expect(verifyWith(identity.certificate, json.replace('job-1', 'job-2'), signature)).toBe(false);
  expect(ticket).toMatchObject({
    transfer: 'job-1',
    owner: 'me',
    source: source.pin,
    destination: destination.pin,
    ...route,
  });
  expect(ticket.expires).toBe('2030-01-08T00:00:00.000Z');
});
