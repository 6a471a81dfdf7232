import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WorkJournal } from '../journal.ts';
import { jointLedger, workLedger } from './ledger-book.ts';

const order = { kind: 'undo', epoch: 1, owner: 'team', job: 'job-1', cloud: 'c', marker: 'm', works: [] } as const;
const what = { action: 'create', kind: 'lease', role: 'import lease', name: 'web' } as const;
let folder: string;
let journal: WorkJournal;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-ledger-'));
  journal = new WorkJournal(join(folder, 'works.sqlite'));
});
afterEach(async () => {
  vi.useRealTimers();
  journal[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
});

const HOUR = 3600_000;
const at = () => Date.parse(journal.ledger('s', 'w')[0]!.at);

test('each state of a row has a later time than the one before, also when the clock is set back and the row in hand is old', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const ledger = workLedger(journal, 's', 'w', order as never);
  const intended = await ledger.intend(what as never);
  vi.setSystemTime(Date.now() + 1000);
  await ledger.settle(intended, 'made', 'lease-1');
  const made = at();
  vi.setSystemTime(Date.now() - 72 * HOUR);
  await ledger.settle(intended, 'removed');
  const removed = at();
  expect(removed).toBeGreaterThan(made);
  await jointLedger(journal, 's', ['w']).settle(intended, 'absent');
  expect(at()).toBeGreaterThan(removed);
  await ledger.intend(what as never);
  expect(journal.ledger('s', 'w').map(({ state }) => state)).toEqual(['intent']);
  expect(at()).toBeGreaterThan(removed + 1);
});
