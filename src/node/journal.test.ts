import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WorkOrder } from '../protocol/work.ts';
import { WorkJournal, type WorkRow } from './journal.ts';
import { jointLedger, unsettled, workLedger } from './work/ledger-book.ts';

let folder: string;
let journal: WorkJournal;
const open = () => new WorkJournal(join(folder, 'works.sqlite'));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloudspan-journal-'));
  journal = open();
});

afterEach(() => {
  journal[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const order: WorkOrder = { kind: 'undo', epoch: 1, owner: 'team', job: 'j', cloud: 'c', marker: 'm', works: [] };
const row: WorkRow = {
  server: 's',
  id: 'w',
  epoch: 1,
  order,
  phase: 'running',
  text: 'x',
  cancelled: false,
  paused: false,
  revision: 3,
};
const lease = { action: 'create', kind: 'lease', role: 'lease', name: 'vm' } as const;

test('works, epochs, ledger rows and log lines are there after the file was opened again', async () => {
  const fault = { code: 'storage.full', message: 'full', remedy: 'free', retry: 'later' } as const;
  journal.putWork({ ...row, fault });
  journal.raiseEpoch('s', 'j', 7);
  const entry = await workLedger(journal, 's', 'w', order).intend(lease);
  journal.addLine('s', 'w', { number: 1, at: 'now', level: 'info', text: 'hello' });
  journal[Symbol.dispose]();
  journal = open();
  expect(journal.works()).toEqual([{ ...row, fault }]);
  expect(journal.epoch('s', 'j')).toBe(7);
  expect(journal.ledger('s', 'w')).toEqual([entry]);
  expect(journal.lines('s', 'w')).toEqual([{ number: 1, at: 'now', level: 'info', text: 'hello' }]);
});

test('the same role is the same row, and a new intent does not keep the id of the object before', async () => {
  const book = workLedger(journal, 's', 'w', order);
  const first = await book.intend(lease);
  await book.settle(first, 'made', 'lease-1');
  await book.settle(first, 'removed');
  expect(book.entries).toMatchObject([{ state: 'removed', marker: 'm', job: 'j', owner: 'team', cloud: 'c' }]);
  const second = await book.intend(lease);
  expect(second.id).toBe(first.id);
  expect(second.objectId).toBeUndefined();
  expect(book.entries).toEqual([second]);
});

test('an undo settles the rows of other works in their own ledgers, and makes nothing', async () => {
  await workLedger(journal, 's', 'w1', order).intend(lease);
  await workLedger(journal, 's', 'w2', order).intend({ ...lease, role: 'other' });
  const joint = jointLedger(journal, 's', ['w1', 'w2', 'unknown']);
  expect(unsettled(joint.entries)).toHaveLength(2);
  for (const entry of joint.entries) await joint.settle(entry, 'removed');
  expect(unsettled(joint.entries)).toEqual([]);
  expect(journal.ledger('s', 'w2')).toMatchObject([{ role: 'other', state: 'removed' }]);
  await expect(joint.intend(lease)).rejects.toMatchObject({ code: 'internal' });
});

test('a forgotten work leaves its ledger only while something may still be behind it', async () => {
  const book = workLedger(journal, 's', 'w', order);
  journal.putWork(row);
  const entry = await book.intend(lease);
  journal.forgetWork('s', 'w');
  expect(journal.works()).toEqual([]);
  expect(book.entries).toHaveLength(1);
  await book.settle(entry, 'removed');
  journal.forgetWork('s', 'w');
  expect(book.entries).toEqual([]);
});

test('the log of a work is bounded: the oldest lines go first', () => {
  for (let number = 1; number <= 1500; number++) {
    journal.addLine('s', 'w', { number, at: '', level: 'info', text: `${number}` });
  }
  const lines = journal.lines('s', 'w');
  expect(lines.length).toBe(1000);
  expect(lines[0]?.number).toBe(501);
});

test('each state of a row is later than the one before, also when the clock was set back meanwhile', async () => {
  const book = workLedger(journal, 's', 'w', order);
  vi.useFakeTimers({ toFake: ['Date'], now: 10_000 });
  try {
    const made = await book.settle(await book.intend(lease), 'made', 'lease-1');
    vi.setSystemTime(5_000);
    const removed = await book.settle(made, 'removed');
    expect(Date.parse(removed.at)).toBeGreaterThan(Date.parse(made.at));
  } finally {
    vi.useRealTimers();
  }
});

test('a work that begins after one of its name was forgotten numbers its lines on', () => {
  journal.putWork(row);
  for (const number of [1, 2, 3]) journal.addLine('s', 'w', { number, at: 'now', level: 'info', text: `${number}` });
  journal.forgetWork('s', 'w');
  expect(journal.lines('s', 'w').map(({ number }) => number)).toEqual([3]);
});

test('a journal without space says storage.full, keeps its lines, and goes on once there is space', async () => {
  const spied = vi.spyOn(DatabaseSync.prototype, 'prepare');
  journal.putWork(row);
  const held = spied.mock.contexts[0] as DatabaseSync;
  spied.mockRestore();
  const pages = Number(held.prepare('PRAGMA page_count').get()?.page_count);
  held.exec(`PRAGMA max_page_count=${pages}`);
  const large = 'x'.repeat(200_000);
  expect(() => journal.putWork({ ...row, text: large })).toThrow(expect.objectContaining({ code: 'storage.full' }));
  journal.addLine('s', 'w', { number: 1, at: 'now', level: 'info', text: large });
  expect(journal.lines('s', 'w')).toEqual([]);
  held.exec('PRAGMA max_page_count=1000000');
  expect(journal.lines('s', 'w')).toHaveLength(1);
  expect(journal.works()).toEqual([row]);
});
