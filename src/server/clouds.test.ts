import { expect, test } from 'vitest';
import type { ServerEvent } from '../protocol/api.ts';
import { type CloudsOptions, openClouds } from './clouds.ts';
import { signInId } from './sign-in-id.ts';
import type { CloudRow } from './store/clouds.ts';

const bare = {
  ...{ id: 'c1', owner: 'tenant-1', name: 'secret-name', driver: 'toy', node: 'n1', options: {}, trust: 'ca' },
  ...{ about: null, fault: null, sign_in: 'own-only', base: null, account: null },
} as unknown as CloudRow;
const own: CloudRow = { ...bare, id: signInId('c1', 'anna'), base: 'c1', account: 'anna' };

/** What is stored and told, without a node that answers. */
async function open() {
  const told: ServerEvent[] = [];
  const closed: string[] = [];
  const never = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const clouds = await openClouds({
    database: { query: async (sql: string) => (sql.includes('FROM clouds') ? [bare, own] : []) },
    nodes: {
      onLinked() {},
      client: () => ({ closeSession: async ({ cloud }: { cloud: string }) => void closed.push(cloud) }),
    },
    events: { publish: (event: ServerEvent) => told.push(event) },
    fleet: { untilSteward: never },
    ...{ vault: {}, owner: 'installation', log: {} },
  } as unknown as CloudsOptions);
  return { clouds, told, closed };
}

test('who names a cloud that is not there is not told which there are', async () => {
  const { clouds } = await open();
  expect(clouds.get('secret-name').id).toBe('c1');
  const fault = (() => {
    try {
      return clouds.get('other');
    } catch (error) {
      return error as { code: string; remedy: string };
    }
  })();
  expect(fault).toMatchObject({ code: 'object.missing' });
  expect(JSON.stringify(fault)).not.toContain('secret-name');
  await clouds.close();
});

test('a sign-in that ends is told by the cloud that it was to, not by its own id', async () => {
  const { clouds, told, closed } = await open();
  await clouds.drop(own.id);
  expect(closed).toEqual([own.id]);
  expect(clouds.nameOf(own.id)).toBeNull();
  expect(told).toMatchObject([{ type: 'cloud', cloud: { id: 'c1', ownAccounts: true } }]);
  await clouds.drop(own.id);
  expect(told).toHaveLength(1);
  await clouds.close();
});
