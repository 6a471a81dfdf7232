import { expect, test } from 'vitest';
import { Fault } from '../model/fault.ts';
import type { NodesCheck } from '../protocol/reach.ts';
import { drawCheck, drawWay } from './nodes-drawing.ts';

const steps = ['tcp', 'tls', 'certificate', 'relay', 'ticket'].map((step) => ({ step, milliseconds: 1, found: step }));
const refused = new Fault('node.unreachable', 'b:1 does not answer: refused', { details: { step: 'tcp' } }).report();

test('a direct way is an arrow, with its proxy in between', () => {
  const leg = { node: 'A', attempts: [{ address: 'b:1', proxy: 'p:3128', steps }] };
  const way = { dialer: 'A', dialled: 'B', open: true, milliseconds: 7, legs: [leg] };
  expect(drawWay(way)).toBe('A ──► proxy p:3128 ──► B (b:1)   open, 7 ms');
});

test('a way that is blocked ends where it is blocked, and the address that answers is the one that is drawn', () => {
  const attempts = [{ address: 'b:1', steps: [], fault: refused }];
  const way = {
    dialer: 'A',
    dialled: 'B',
    open: false,
    milliseconds: 7,
    legs: [{ node: 'A', attempts, fault: refused }],
  };
  expect(drawWay(way)).toBe('A ──╳ B (b:1)   blocked');
  const two = { ...way, open: true, legs: [{ node: 'A', attempts: [...attempts, { address: 'b:2', steps }] }] };
  expect(drawWay(two)).toBe('A ──► B (b:2)   open, 7 ms');
});

test('two arrows meet at a relay, and the one that does not arrive is crossed', () => {
  const legs = [
    { node: 'A', attempts: [{ address: 's:1', steps }] },
    { node: 'B', attempts: [{ address: 's:1', proxy: 'q:1', steps }] },
  ];
  const way = { dialer: 'A', dialled: 'B', relay: 'this server', open: true, milliseconds: 7, legs };
  expect(drawWay(way)).toBe('A ──► relay: this server (s:1) ◄── proxy q:1 ◄── B   open, 7 ms');
  const [left, right] = legs;
  const cut = { ...right!, attempts: [{ address: 's:1', steps: [], fault: refused }] };
  expect(drawWay({ ...way, open: false, legs: [left!, cut] })).toBe('A ──► relay: this server (s:1) ╳── B   blocked');
});

test('every step, both nodes, what blocks and what to do are told', () => {
  const attempts = [
    { address: 'b:1', steps: [{ step: 'dns', milliseconds: 2.5, found: 'b is 10.0.0.1' }], fault: refused },
  ];
  const node = { id: '1', pin: 'ff', link: 'dial-home' as const, public: false, addresses: [], proxies: {} };
  const check: NodesCheck = {
    open: false,
    nodes: [
      { ...node, name: 'A', linkMilliseconds: 3, clockSeconds: -61.04 },
      { ...node, name: 'B', fault: refused },
    ],
    ways: [
      { dialer: 'A', dialled: 'B', open: false, milliseconds: 7, legs: [{ node: 'A', attempts, fault: refused }] },
    ],
    findings: [{ name: 'tcp', outcome: 'fail', found: 'From node A: refused', remedy: 'Open the port.' }],
  };
  expect(drawCheck(check)).toEqual([
    'A ──╳ B (b:1)   blocked',
    '  from A to b:1',
    '  ✓ dns             2.5 ms  b is 10.0.0.1',
    '  ╳ tcp                     b:1 does not answer: refused',
    '',
    'A: private, dial-home, link 3 ms, clock −61.0 s, key ff',
    'B: b:1 does not answer: refused; key ff',
    '',
    'blocked (tcp): From node A: refused',
    'what to do: Open the port.',
  ]);
});
