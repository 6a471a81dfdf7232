import { readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation } from './installation.ts';
import { send } from './server-installation.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

const DOCS = resolve(import.meta.dirname, '../../docs');
let site: Installation;

beforeAll(async () => {
  process.env.CLOUDSPAN_LOG = 'debug';
  site = await Installation.start({ vcenterWorld, directorWorld });
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

const copy = async (name: string) => {
  const { id } = await site.copy({ source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name });
  const job = await site.end(id);
  expect(job.failure).toBeUndefined();
  return job;
};

const ask = (path: string, headers: Record<string, string> = {}) =>
  send(`https://${site.account.host}`, { method: 'GET', path }, '', headers);
const tokenFile = () => join(site.folder, 'server/metrics.token');
const metrics = async (): Promise<string> => {
  const token = (await readFile(tokenFile(), 'utf8')).trim();
  const answer = await ask('/metrics', { authorization: `Bearer ${token}` });
  expect(answer.status, answer.text).toBe(200);
  return answer.text;
};

test('health and readiness are open and tell strangers nothing but yes or no', async () => {
  const health = await ask('/health');
  expect([health.status, health.text]).toEqual([200, '{"live":true}']);
  const ready = await ask('/ready');
  expect([ready.status, ready.text]).toEqual([200, '{"ready":true}']);
});

test('metrics are for who brings the token of the file, also after it was changed', async () => {
  expect((await stat(tokenFile())).mode & 0o777).toBe(0o600);
  expect((await ask('/metrics')).status).toBe(401);
  const before = (await readFile(tokenFile(), 'utf8')).trim();
  await writeFile(tokenFile(), 'another-one\n');
  expect((await ask('/metrics', { authorization: `Bearer ${before}` })).status).toBe(401);
  expect(await metrics()).toContain('cloudspan_info');
});

test('metrics count what a copy moves between its two nodes, and how everything stands', async () => {
  const job = await copy('measured');
  const text = await metrics();
  expect(text).toContain('cloudspan_jobs{kind="copy",state="succeeded"} 1');
  expect(text).toContain(
    `cloudspan_transfer_bytes_total{source_node="source",destination_node="destination"} ${job.progress?.doneBytes}`,
  );
  expect(text).toContain('cloudspan_node_up{node="source"} 1');
  expect(text).toContain('cloudspan_cloud_state{cloud="vc",state="connected"} 1');
  expect(text).toContain('cloudspan_cloud_state{cloud="vc",state="failed"} 0');
  expect(text).toMatch(/cloudspan_api_requests_total\{operation="startJob",status="200"\} 1/);
  expect(text).toMatch(/cloudspan_node_storage_limit_bytes\{node="source"\} \d/);
  expect(text).toContain('cloudspan_database_up 1');
  expect(text).not.toContain(site.account.password);
});

test('the dashboard and the docs use names that the server exports, and the docs all of our own', async () => {
  const exported = new Set([...(await metrics()).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
  const namesIn = (text: string) => new Set(text.match(/\b(cloudspan|nodejs|process)_[a-z0-9_]+/g));
  const plain = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
  const dashboard = JSON.parse(await readFile(join(DOCS, 'grafana/cloudspan.json'), 'utf8')) as {
    panels: { targets: { expr: string }[] }[];
  };
  const used = namesIn(dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n'));
  expect(used.size).toBeGreaterThan(20);
  expect([...used].filter((name) => !exported.has(plain(name)))).toEqual([]);
  const page = namesIn(await readFile(join(DOCS, 'operations.md'), 'utf8'));
  const ours = [...exported].filter((name) => name?.startsWith('cloudspan_'));
  expect(ours.filter((name) => !page.has(name ?? ''))).toEqual([]);
});
