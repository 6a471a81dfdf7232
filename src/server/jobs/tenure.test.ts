import { afterAll, expect, test, vi } from 'vitest';
import { createLog } from '../../base/log.ts';
import type { Database } from '../store/database.ts';
import { createRecords } from './record.ts';
import { createTenures } from './tenure.ts';

const log = createLog('test', 'silent');
const reads: (() => void)[] = [];
let row = { id: 'j', number: 1, epoch: 1, server: 'me', steps: [], clouds: [] };

/** A job in a database whose reads answer when the test says so, with the row as it was when they were asked. */
const database = {
  async query(text: string, values: unknown[]) {
    if (text.startsWith('SELECT')) {
      const seen = { ...row };
      await new Promise<void>((done) => reads.push(done));
      return [seen];
    }
    return values.includes(row.epoch) ? [row] : [];
  },
} as unknown as Database;

vi.mock('../store/servers.ts', async (original) => ({
  ...(await original<object>()),
  claimJob: async () => {
    row = { ...row, epoch: row.epoch + 1 };
    return row.epoch;
  },
  stillHeld: async () => new Set(['j']),
}));

afterAll(() => vi.restoreAllMocks());

test('a record that is being opened while the job is claimed has the epoch of the claim', async () => {
  const records = createRecords(database, { publish: () => {} } as never, log);
  const tenures = createTenures(database, records, 'me', log);
  // Somebody looks at the job: the row is read, and the answer is on its way.
  const looking = records.open('j');
  const beginning = tenures.begin('j');
  await vi.waitFor(() => expect(row.epoch).toBe(2));
  const answers = setInterval(() => {
    for (const answer of reads.splice(0)) answer();
  }, 5);
  const [record] = await Promise.all([looking, beginning]).finally(() => clearInterval(answers));
  expect(record.row.epoch).toBe(2);
  expect(records.running('j')).toBe(record);
});
