import { expect, test } from 'vitest';
import { createIdentity } from '../../base/identity.ts';
import { Fault } from '../../model/fault.ts';
import { readTicket } from '../../protocol/peer.ts';
import type { Nodes } from '../nodes.ts';
import type { NodeRow } from '../store/nodes.ts';
import { createPaths } from './paths.ts';

const identity = await createIdentity('server');

const node = (id: string, addresses: string[], change: Partial<NodeRow> = {}): NodeRow => ({
  id,
  owner: 'owner',
  name: id,
  pin: id.padEnd(64, '0'),
  certificate: '',
  link: 'dial-home',
  public: addresses.length > 0,
  address: addresses[0] ?? null,
  about: { reach: { addresses, relay: true, proxies: {} } } as unknown as NodeRow['about'],
  ...change,
});

/** @param open `from>address`, or `from>relay`, that answers. */
function world(rows: NodeRow[], open: Set<string>, relay = true) {
  const asked: string[] = [];
  const answer = (from: string, address: string) => {
    asked.push(`${from}>${address}`);
    if (open.has(`${from}>${address}`)) return { address, steps: [] };
    return { address, steps: [], fault: new Fault('node.unreachable', `${address} does not answer`).report() };
  };
  const client = (from: string) => ({
    reach: async ({ body }: { body: { ticket?: string } }) => {
      const { ticket } = readTicket(body.ticket ?? '');
      const relays = ticket.relay?.addresses ?? [];
      const targets =
        ticket.relay === undefined ? [ticket.address ?? '', ...(ticket.addresses ?? [])] : [relays[0] ?? 'relay'];
      const attempts = targets.map((target) => answer(from, target));
      const reachable = attempts.some(({ fault }) => fault === undefined);
      return { reachable, attempts, ...(reachable ? {} : { fault: attempts[0]?.fault }) };
    },
  });
  const nodes = {
    connected: () => true,
    client,
    get: (id: string) => rows.find((row) => row.id === id),
    list: () => rows.map((row) => ({ ...row, connected: true })),
  } as unknown as Nodes;
  return { asked, paths: createPaths({ nodes, identity, owner: 'me', relay, ownAddresses: () => [] }) };
}

const signal = new AbortController().signal;

test('of several addresses those that answer are kept, and the answer is remembered until it is forgotten', async () => {
  const [a, b] = [node('a', ['a1:1', 'a2:1', 'a3:1']), node('b', [])];
  const { asked, paths } = world([a, b], new Set(['b>a2:1', 'b>a3:1']));
  const ends = { source: a, destination: b };
  expect(await paths.between(ends, signal)).toEqual({ dialer: 'destination', address: 'a2:1', addresses: ['a3:1'] });
  await paths.between(ends, signal);
  expect(asked.length).toBe(3);
  paths.forget(ends);
  await paths.between(ends, signal);
  expect(asked.length).toBe(6);
});

test('a public node that cannot be reached dials the other one, and both meet at the server when that fails too', async () => {
  const [a, b] = [node('a', ['a:1']), node('b', ['b:1'])];
  const ends = { source: a, destination: b };
  expect(await world([a, b], new Set(['a>b:1'])).paths.between(ends, signal)).toEqual({
    dialer: 'source',
    address: 'b:1',
  });
  const closed = world([a, b], new Set(['a>relay', 'b>relay']));
  expect(await closed.paths.between(ends, signal)).toEqual({
    dialer: 'destination',
    relay: { pin: identity.pin, addresses: [] },
  });
});

test('where the server is no relay, a public node of the same owner is', async () => {
  const rows = [node('a', []), node('b', []), node('c', ['c:1'])] as const;
  const [a, b, c] = rows;
  const { paths } = world([a, b, c], new Set(['a>c:1', 'b>c:1']), false);
  const route = await paths.between({ source: a, destination: b }, signal);
  expect(route.relay).toEqual({ pin: c.pin, addresses: ['c:1'] });
});

test('without any way the fault says what blocks each, and a node of before is never sent to a relay', async () => {
  const [a, b] = [node('a', ['a:1']), node('b', [])];
  const blocked = world([a, b], new Set()).paths.between({ source: a, destination: b }, signal);
  await expect(blocked).rejects.toMatchObject({
    code: 'node.unreachable',
    retry: 'later',
    message: /a:1 does not answer/,
  });
  const old = node('old', [], { about: null });
  const { asked, paths } = world([old, b], new Set(['old>relay', 'b>relay']));
  await expect(paths.between({ source: old, destination: b }, signal)).rejects.toMatchObject({ message: /no relay/ });
  expect(asked).toEqual([]);
});
