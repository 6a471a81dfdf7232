import { expect, test } from 'vitest';
import { Fault } from '../model/fault.ts';
import { writeTicket } from './peer.ts';
import { RELAY_AUTHORITY, readRelayAnswer, readVisit, relayAnswer } from './relay.ts';
import type { Ticket } from './work.ts';

const ticket: Ticket = {
  transfer: 't',
  owner: 'me',
  source: 'a',
  destination: 'b',
  dialer: 'destination',
  relay: { pin: 'r', addresses: [] },
  expires: '2999-01-01T00:00:00Z',
};
const visit = (change: Partial<Ticket> = {}, more: object = {}) => ({
  authority: RELAY_AUTHORITY,
  ticket: writeTicket({ ...ticket, ...change }, () => 'c2ln'),
  caller: 'a',
  relay: 'r',
  ...more,
});
const good = () => true;

test('each of the two nodes of a ticket is let in on its own side', () => {
  expect(readVisit(visit(), good).side).toBe('source');
  expect(readVisit(visit({}, { caller: 'b' }), good).side).toBe('destination');
});

test.each([
  ['a target of its own choice', visit({}, { authority: '10.0.0.1:22' }), good],
  ['no ticket', visit({}, { ticket: undefined }), good],
  ['a ticket that nobody known signed', visit(), () => false],
  ['a ticket for another relay', visit({ relay: { pin: 'x', addresses: [] } }), good],
  ['a ticket without a relay', visit({ relay: undefined }), good],
  ['the ticket of two other nodes', visit({}, { caller: 'c' }), good],
  ['no certificate', visit({}, { caller: null }), good],
  ['a ticket whose time is over', visit({ expires: '2020-01-01T00:00:00Z' }), good],
  ['a ticket of a node with itself', visit({ destination: 'a' }), good],
])('%s opens nothing', (_name, asked, verify) => {
  expect(() => readVisit(asked, verify)).toThrow(expect.objectContaining({ code: 'auth.forbidden' }));
});

test('a refusal travels in the answer, and what is no relay is called so', () => {
  const head = relayAnswer(new Fault('transfer.lost', 'nobody came'));
  const value = /cloudspan-fault: (.*)\r\n/.exec(head)?.[1] ?? '';
  const answer = { status: 503, headers: { 'cloudspan-fault': value } };
  expect(() => readRelayAnswer(answer, 'relay r')).toThrow(expect.objectContaining({ message: 'nobody came' }));
  expect(() => readRelayAnswer({ status: 405, headers: {} }, 'relay r')).toThrow(/relay r is no relay.*405/);
});
