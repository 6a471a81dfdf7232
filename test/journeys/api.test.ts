import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { API_PREFIX } from '../../src/protocol/api.ts';
import type { FakeNode } from './server-fake-node.ts';
import { type ServerInstallation, send } from './server-installation.ts';
import { startToyPair, type ToyPair } from './server-toy-pair.ts';

let pair: ToyPair;
let server: ServerInstallation;
let left: FakeNode;
let right: FakeNode;

beforeAll(async () => {
  pair = await startToyPair();
  ({ server, left, right } = pair);
});
afterAll(() => pair?.[Symbol.asyncDispose]());
beforeEach(() => {
  for (const node of [left, right]) node.hold = false;
});

async function inDatabase(statement: string): Promise<void> {
  const password = (await readFile(join(server.folder, 'postgres.password'), 'utf8')).trim();
  const place = { host: join(server.folder, 'postgres'), port: 5432, database: 'postgres' };
  const client = new pg.Client({ ...place, user: 'cloudspan', password });
  await client.connect();
  await client.query(statement);
  await client.end();
}

const order = (name: string) => ({ kind: 'copy', source: 'a/DC 1/vm/web%2F01 100%25', destination: 'b/DC 1/vm', name });
const startWith = (key: string, body: unknown) => {
  const question = { method: 'POST' as const, path: `${API_PREFIX}/jobs`, body: JSON.stringify(body) };
  return send(server.ready.url, question, server.token, { 'idempotency-key': key });
};
const get = (path: string, headers: Record<string, string> = {}) =>
  send(server.ready.url, { method: 'GET', path: `${API_PREFIX}${path}` }, server.token, headers);

test('a repeated request with one Idempotency-Key is one job with one answer; with another body it is a fault', async () => {
  const first = await startWith('key-1', order('once'));
  expect(first.status, first.text).toBe(200);
  const again = await startWith('key-1', order('once'));
  expect(JSON.parse(again.text)).toEqual(JSON.parse(first.text));
  const other = await startWith('key-1', order('twice'));
  expect([other.status, JSON.parse(other.text).code]).toEqual([422, 'idempotency.conflict']);
  const { jobs } = await server.client.listJobs({ query: { text: 'b/DC 1/vm' } });
  expect(jobs).toHaveLength(1);
  const both = await Promise.all([startWith('key-2', order('race')), startWith('key-2', order('race'))]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(
    both.every(({ status }) => status === 200) ? [200, 200] : [200, 409],
  );
  expect((await server.client.listJobs({ query: {} })).jobs).toHaveLength(2);
});

test('a request whose answer was lost with its server is found again by its key', async () => {
  left.hold = true;
  const first = JSON.parse((await startWith('key-3', order('lost'))).text) as { id: string };
  await server.killAndRestart();
  // As if the server had died between making the job and writing down its answer.
  await inDatabase("UPDATE idempotency SET answer = NULL, at = now() - interval '2 minutes' WHERE key = 'key-3'");
  const again = JSON.parse((await startWith('key-3', order('lost'))).text) as { id: string };
  expect(again.id).toBe(first.id);
});

test('a request that failed is not remembered', async () => {
  const wrong = await startWith('key-4', { ...order('x'), source: 'a/nothing' });
  expect(wrong.status).toBe(404);
  expect((await startWith('key-4', order('now right'))).status).toBe(200);
});

test('long lists go on where the cursor says, and filters hold over all pages', async () => {
  for (let n = 0; n < 3; n++) await startWith(`page-${n}`, order(`page ${n}`));
  const seen: number[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await server.client.listJobs({ query: { limit: 2, user: 'admin', ...(cursor && { cursor }) } });
    expect(page.jobs.length).toBeLessThanOrEqual(2);
    seen.push(...page.jobs.map(({ number }) => number));
    cursor = page.next;
    if (cursor === undefined) break;
  }
  const all = (await server.client.listJobs({ query: {} })).jobs.map(({ number }) => number);
  expect(seen).toEqual(all);
  expect((await server.client.listJobs({ query: { user: 'nobody' } })).jobs).toEqual([]);
  await expect(server.client.listJobs({ query: { cursor: 'made-up' } })).rejects.toMatchObject({
    code: 'input.invalid',
  });
  const [cloud] = (await server.client.listClouds({})).clouds;
  const query = { cloud: cloud?.id ?? '', kinds: 'vm' };
  const whole = (await server.client.listObjects({ query })).objects.map(({ id }) => id);
  const first = await server.client.listObjects({ query: { ...query, limit: 3 } });
  const rest = await server.client.listObjects({ query: { ...query, limit: 100, cursor: first.next ?? '' } });
  expect([...first.objects, ...rest.objects].map(({ id }) => id)).toEqual(whole);
  expect(rest.next).toBeUndefined();
  const job = (await server.client.listJobs({ query: {} })).jobs.at(-1);
  const log = await server.client.jobLog({ job: job?.id ?? '', query: { limit: 1 } });
  expect([log.lines.length, log.next]).toEqual([1, log.lines[0]?.number]);
});

test('what did not change is answered by 304 without a body', async () => {
  const first = await get('/clouds');
  const tag = String(first.headers.etag);
  const same = await get('/clouds', { 'if-none-match': tag });
  expect([same.status, same.text, same.headers.etag]).toEqual([304, '', tag]);
  expect((await get('/nodes', { 'if-none-match': tag })).status).toBe(200);
});
