import { expect, test } from 'vitest';
import { createLog } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { WorkOrder } from '../../protocol/work.ts';
import { WorkJournal } from '../journal.ts';
import { Sessions } from '../sessions.ts';
import { PATIENCE, persist } from './patience.ts';
import { Work } from './work.ts';

const log = createLog('test', 'silent');
const order: WorkOrder = { kind: 'undo', epoch: 1, owner: 'team', job: 'j', cloud: 'c', marker: 'm', works: [] };
const quick = {
  ...PATIENCE,
  longestWaitSeconds: 0.02,
  standstillSeconds: 0.3,
  storageEverySeconds: 0.03,
};

function tryIt(attempt: (number: number, work: Work) => Promise<string>) {
  const journal = new WorkJournal(':memory:');
  const row = {
    server: 's',
    id: 'w',
    epoch: 1,
    order,
    phase: 'running',
    text: '',
    cancelled: false,
    paused: false,
    revision: 0,
  } as const;
  const work = new Work(journal, row, log);
  let number = 0;
  const signal = AbortSignal.timeout(10_000);
  const end = persist(work, new Sessions([], log), quick, signal, () => attempt(++number, work));
  return { work, end, tried: () => number };
}

test('a fault that seconds mend is tried again until it is mended', async () => {
  const { end, work } = tryIt(async (number) => {
    if (number < 4) throw new Fault('cloud.unreachable', 'gone');
    return 'there';
  });
  expect(await end).toBe('there');
  expect(work.state().phase).toBe('running');
});

test('without any movement it is given up, with movement it goes on', async () => {
  const still = tryIt(async () => {
    throw new Fault('cloud.unreachable', 'gone');
  });
  await expect(still.end).rejects.toMatchObject({ code: 'cloud.unreachable' });
  expect(still.tried()).toBeGreaterThan(3);
  const begin = performance.now();
  const moving = tryIt(async (_number, work) => {
    if (performance.now() - begin > 600) return 'there';
    work.movedAt = performance.now();
    throw new Fault('cloud.unreachable', 'gone');
  });
  expect(await moving.end).toBe('there');
});

test('a disk that is too short each time is given up, although bytes move', async () => {
  const short = tryIt(async (_number, work) => {
    work.movedAt = performance.now();
    throw new Fault('vmdk.truncated', 'short');
  });
  await expect(short.end).rejects.toMatchObject({ code: 'vmdk.truncated', retry: 'later' });
  expect(short.tried()).toBe(5);
});

test('a full disk is waited for as long as it takes, other faults that need somebody not at all', async () => {
  const begin = Date.now();
  const full = tryIt(async () => {
    if (Date.now() - begin > 900) return 'there';
    throw new Fault('storage.full', 'full');
  });
  expect(await full.end).toBe('there');
  expect(full.tried()).toBeGreaterThan(3);
  const refused = tryIt(async () => {
    throw new Fault('cloud.untrusted', 'no');
  });
  await expect(refused.end).rejects.toMatchObject({ code: 'cloud.untrusted' });
  expect(refused.tried()).toBe(1);
});

test('what is no fault ends the work as internal', async () => {
  const broken = tryIt(async () => {
    throw new TypeError('oops');
  });
  await expect(broken.end).rejects.toMatchObject({ code: 'internal' });
});

test('a login that the cloud refuses to renew is not repeated: the work says so and waits for another session', async () => {
  const refused = tryIt(async () => {
    throw new Fault('auth.refused', 'the password is another one');
  });
  refused.end.catch(() => {});
  await new Promise((done) => setTimeout(done, 200));
  expect(refused.tried()).toBe(1);
  expect(refused.work.state()).toMatchObject({
    phase: 'waiting',
    fault: { code: 'session.missing', message: 'the password is another one' },
  });
});
