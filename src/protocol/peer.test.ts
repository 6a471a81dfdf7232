import { expect, test } from 'vitest';
import { readTicket, writeTicket } from './peer.ts';
import type { Ticket } from './work.ts';

const ticket: Ticket = {
  transfer: 't-1',
  owner: 'team',
  source: 'a',
  destination: 'b',
  dialer: 'source',
  address: '[::1]:443',
  expires: '2030-01-01T00:00:00.000Z',
};
const sign = (json: string) => Buffer.from(`signed ${json.length}`).toString('base64');

test('a ticket that is written is read back with the text that was signed', () => {
  const read = readTicket(writeTicket(ticket, sign));
  expect(read.ticket).toEqual(ticket);
  expect(read.signature).toBe(sign(read.json));
});

test.each([
  '',
  'a',
  'a.b.c',
  '.',
  'eyJ9.x',
  `${'a'.repeat(5000)}.b`,
  `${Buffer.from('{"transfer":1}').toString('base64url')}.b`,
])('what is no ticket is refused: "%.20s"', (text) => {
  expect(() => readTicket(text)).toThrow(expect.objectContaining({ code: 'auth.forbidden' }));
});
