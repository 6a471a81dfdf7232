import { expect, it } from 'vitest';
import type { LedgerEntry } from './ledger.ts';
import type { MachineDescription, PackageDescription } from './machine.ts';
import { changesBetween, judge, objectOfRow, type RemovalRow } from './removal.ts';
import type { MarkedObject, SeenObject } from './seen-object.ts';

const machine: MachineDescription = {
  id: 'm',
  name: 'web',
  notes: '',
  guestId: 'debian12_64Guest',
  cpus: 2,
  coresPerSocket: 1,
  memoryMib: 512,
  firmware: 'bios',
  controllers: [],
  disks: [],
  nics: [{ label: 'n', kind: 'vmxnet3', mac: '00:50:56:00:00:01', network: 'a', connected: true }],
  bootOrder: [],
  properties: [],
  eulas: [],
  extras: {},
};
const description: PackageDescription = {
  kind: 'vm',
  name: 'web',
  notes: '',
  machines: [machine],
  networks: [{ name: 'a' }],
  startOrder: [],
  properties: [],
  eulas: [],
};
const entry: LedgerEntry = {
  id: 'row',
  job: 'j',
  owner: 'o',
  cloud: 'c',
  action: 'create',
  kind: 'vm',
  role: 'machine',
  name: 'web',
  marker: 'mine',
  objectId: 'vm-1',
  state: 'kept',
  at: '2026-01-01T00:00:00Z',
};
const seen: SeenObject = {
  id: 'vm-1',
  kind: 'vm',
  name: 'web',
  marker: 'mine',
  finished: true,
  power: 'off',
  ran: false,
  version: '1',
  description,
};
const kept: RemovalRow = { entry, made: { version: '1', description } };

it('lets a kept result go that is as it was made', () => {
  expect(judge(kept, seen).outcome).toBe('remove');
});

it.each([
  ['it is gone', kept, null, 'gone', /nothing under its id/],
  ['its marker was taken away', kept, { ...seen, marker: null }, 'left', /no longer carries the marker/],
  ['it has the marker of another job', kept, { ...seen, marker: 'other' }, 'left', /another job/],
  ['it runs', kept, { ...seen, power: 'on' as const, ran: true }, 'left', /runs/],
  ['it has run', kept, { ...seen, ran: true }, 'left', /has run/],
  ['it is the last copy', { ...kept, held: 'its source is gone' }, seen, 'left', /source is gone/],
  ['it has another name', kept, { ...seen, description: { ...description, name: 'www' } }, 'left', /name web → www/],
  ['its configuration moved', kept, { ...seen, version: '2' }, 'left', /another version/],
  ['nobody noted how it was made', { entry }, seen, 'left', /earlier release/],
  ['it was finished and never proven', { entry: { ...entry, state: 'made' as const } }, seen, 'left', /never proven/],
])('names the reason where %s', (_, row, now, outcome, reason) => {
  const judgement = judge(row, now);
  expect(judgement.outcome).toBe(outcome);
  expect(judgement.reason).toMatch(reason);
});

it('lets what is not finished go without knowing how it was', () => {
  const row = { entry: { ...entry, state: 'made' as const } };
  expect(judge(row, { ...seen, finished: false, description: null }).outcome).toBe('remove');
});

it('sees changed and added parts, and no change where there is none', () => {
  expect(changesBetween(description, structuredClone(description))).toEqual([]);
  const richer = { ...machine, memoryMib: 1024, extras: { 'extraConfig.guestinfo.a': 'b' } };
  const changes = changesBetween(description, { ...description, machines: [richer] });
  expect(changes).toEqual(['web: memory (MiB) 512 → 1024', 'web: extraConfig.guestinfo.a none → b']);
});

it('finds the object of a row without an id by its marker, and never one that another row stands for', () => {
  const marked: MarkedObject[] = ['vm-1', 'vm-2'].map((id) => ({ ...seen, id, marker: 'mine' }));
  expect(objectOfRow(entry, marked, new Set(['vm-1']))?.id).toBe('vm-2');
  expect(objectOfRow({ ...entry, marker: 'other' }, marked, new Set())).toBeUndefined();
  expect(objectOfRow({ ...entry, kind: 'vapp' }, marked, new Set())).toBeUndefined();
});
