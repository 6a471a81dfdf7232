import { expect, test } from 'vitest';
import { createIdentity } from '../../base/identity.ts';
import { Fault } from '../../model/fault.ts';
import { readTicket } from '../../protocol/peer.ts';
import type { WorkState } from '../../protocol/work.ts';
import type { JobContext } from './context.ts';
import type { JobRecord } from './record.ts';
import { openTickets } from './route.ts';
import type { PeerRoute } from './ticket.ts';

const identity = await createIdentity('server');
const direct: PeerRoute = { dialer: 'destination', address: 'a.example:1' };
const relayed: PeerRoute = { dialer: 'destination', relay: { pin: identity.pin, addresses: [] } };
const stuck = { phase: 'waiting', fault: new Fault('node.unreachable', 'gone').report() } as WorkState;

/** A job between two nodes whose way is what `between` answers. */
async function job(between: () => PeerRoute, isPublic = true) {
  const lines: string[] = [];
  const waits: (string | undefined)[] = [];
  let forgotten = 0;
  let told = 0;
  const node = (id: string) => ({
    id,
    name: id,
    pin: id,
    public: isPublic,
    address: isPublic ? `${id}.example:1` : null,
  });
  const context = {
    identity,
    owner: 'me',
    nodes: { get: node, untilLinked: async () => {} },
    paths: { between: async () => between(), forget: () => void forgotten++ },
    log: { info: () => {} },
  } as unknown as JobContext;
  const record = {
    row: { id: 'job-1', owner: 'owner' },
    log: async (_level: string, text: string) => void lines.push(text),
  } as unknown as JobRecord;
  const tickets = await openTickets(
    context,
    record,
    { source: 'a', destination: 'b' },
    async () => void told++,
    new AbortController().signal,
    (fault) => void waits.push(fault?.message),
  );
  const route = () => readTicket(tickets.current).ticket;
  return { tickets, route, lines, waits, forgotten: () => forgotten, told: () => told };
}

test('a work that waits for its peer makes the way be looked for anew, and both nodes hear of another one', async () => {
  let way = direct;
  const { tickets, route, lines, told, forgotten } = await job(() => way);
  expect(route()).toMatchObject({ transfer: 'job-1', source: 'a', destination: 'b', ...direct });
  tickets.watch(stuck);
  expect(forgotten()).toBe(0);
  way = relayed;
  const toldAfterTrouble = () => {
    tickets.watch(stuck);
    return told();
  };
  await expect.poll(toldAfterTrouble, { timeout: 15_000, interval: 200 }).toBe(1);
  expect(route().relay).toEqual(relayed.relay);
  expect(route().address).toBeUndefined();
  expect(lines).toEqual(['the nodes go another way: over this server as relay']);
  tickets.watch({ phase: 'running' } as WorkState);
  expect(forgotten()).toBe(1);
}, 20_000);

test('while no way is found the likely one is used, for the nodes go on trying', async () => {
  const blocked = () => {
    throw new Fault('node.unreachable', 'no way', { retry: 'later' });
  };
  expect((await job(blocked)).route()).toMatchObject({ dialer: 'destination', address: 'a.example:1' });
});
