import { readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Installation } from './installation.ts';
import { send } from './server-installation.ts';
import { Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

const DOCS = resolve(import.meta.dirname, '../../docs');
let site: Installation;
let terminal: Terminal;

beforeAll(async () => {
  process.env.CLOUDSPAN_LOG = 'info';
  terminal = await Terminal.open();
  site = await Installation.start({ vcenterWorld, directorWorld });
  const { host, fingerprint, password } = site.account;
  const said = await terminal.run(['login', host, '--fingerprint', fingerprint], { CLOUDSPAN_PASSWORD: password });
  expect(said.code, said.stderr).toBe(0);
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
});

const copy = async (name: string) => {
  const { id } = await site.copy({ source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name });
  const job = await site.end(id);
  expect(job.failure).toBeUndefined();
  return job;
};

const cloudspan = async (...words: string[]) => {
  const said = await terminal.run([...words, '--json']);
  expect(said.code, said.stdout + said.stderr).toBe(0);
  return said.json;
};

interface LogLine {
  component: string;
  level: number;
  msg: string;
  job?: string;
  work?: string;
}
const logLines = async (): Promise<LogLine[]> =>
  [...(await site.log()).matchAll(/\{"level":.*\}$/gm)].map(([line]) => JSON.parse(line) as LogLine);

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

test('each line of server and nodes that belongs to a job carries its id', async () => {
  const job = await copy('logged');
  const lines = await logLines();
  const ofJob = lines.filter((line) => line.job === job.id);
  expect(new Set(ofJob.map(({ component }) => component))).toEqual(new Set(['server', 'node']));
  expect(ofJob.filter(({ component }) => component === 'server').map(({ msg }) => msg)).toEqual(
    expect.arrayContaining(['a job was asked for', 'transfer: done', 'succeeded']),
  );
  expect(lines.filter(({ work, job }) => work !== undefined && !work.startsWith(`${job}.`))).toEqual([]);
  expect(lines.filter(({ msg, job }) => msg.includes(ofJob[0]?.job ?? '?') && job === undefined)).toEqual([]);
});

test('the log level of a node is changed for a while from the command line, and is then as before', async () => {
  const { processes } = (await cloudspan('log-level')) as { processes: { node?: string; log: { level: string } }[] };
  expect(processes.map(({ node, log }) => [node, log.level])).toEqual([
    [undefined, 'info'],
    ['destination', 'info'],
    ['source', 'info'],
  ]);
  const changed = await cloudspan('log-level', 'debug', '--node', 'source', '--for', '2s');
  expect(changed).toMatchObject({ processes: [{ node: 'source', log: { level: 'debug', usual: 'info' } }] });
  const level = async (name: string | undefined) =>
    (await site.client.listLogLevels({})).processes.find(({ node }) => node === name)?.log?.level;
  expect([await level('source'), await level('destination'), await level(undefined)]).toEqual([
    'debug',
    'info',
    'info',
  ]);
  await site.until(async () => ((await level('source')) === 'info' ? true : undefined), 10, 'still debug');
});

test('the log level of the server is changed while it runs: lines that were not written are', async () => {
  const debugLines = async () =>
    (await logLines()).filter(({ level, component }) => level === 20 && component === 'server');
  expect(await debugLines()).toEqual([]);
  await cloudspan('log-level', 'debug');
  await copy('verbose');
  await site.until(async () => ((await debugLines()).length > 0 ? true : undefined), 10, 'nothing at debug');
  expect(await cloudspan('log-level', 'usual')).toMatchObject({ processes: [{ log: { level: 'info' } }] });
});
