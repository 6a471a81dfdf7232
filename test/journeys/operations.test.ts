import { readFile, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import pg from 'pg';
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
  await terminal.signIn(site.account);
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

/** The database of the running server, for what only time could do otherwise. */
async function inDatabase<T extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<T[]> {
  const folder = join(site.folder, 'server');
  const password = (await readFile(join(folder, 'postgres.password'), 'utf8')).trim();
  const client = new pg.Client({
    host: join(folder, 'postgres'),
    port: 5432,
    user: 'cloudspan',
    password,
    database: 'postgres',
  });
  await client.connect();
  try {
    return (await client.query<T>(text, values)).rows;
  } finally {
    await client.end();
  }
}

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

test('what is kept long enough goes: logs first, jobs that prove a copy only when that is wanted, unsettled ones never', async () => {
  const proof = await copy('proof');
  const failed = await site.end((await site.copy({ source: 'vc/DC1/vm/running', destination: 'vcd/vdc1' })).id);
  const unsettled = await site.end((await site.copy({ source: 'vc/DC1/vm/running', destination: 'vcd/vdc1' })).id);
  expect([failed.state, unsettled.state]).toEqual(['failed', 'failed']);
  const row = { id: 'row', state: 'made', at: new Date() };
  await inDatabase('INSERT INTO ledger (job, id, owner, cloud, data, at) VALUES ($1, $2, $3, $4, $5, now())', [
    unsettled.id,
    ...['row', 'x', 'x', row],
  ]);
  const young = await copy('young');
  await inDatabase("UPDATE jobs SET ended_at = now() - interval '100 days' WHERE number <> $1", [young.number]);
  const lines = async (job: string) => (await site.client.jobLog({ job, query: {} })).lines.length;
  expect(await cloudspan('retention', 'show')).toEqual({ logDays: 90, jobDays: null, receiptDays: null });

  const dry = (await cloudspan('retention', 'sweep', '--dry-run')) as { logs: number[]; jobs: number[] };
  expect(dry.logs).toContain(proof.number);
  expect(dry.jobs).toEqual([]);
  expect(await lines(proof.id)).toBeGreaterThan(0);
  await cloudspan('retention', 'sweep');
  expect([await lines(proof.id), await lines(failed.id), (await lines(young.id)) > 0]).toEqual([0, 0, true]);
  expect((await site.client.getJob({ job: proof.id })).receipt).toBeDefined();

  await cloudspan('retention', 'set', '--jobs', '30');
  const swept = (await cloudspan('retention', 'sweep')) as { jobs: number[]; kept: { job: number; why: string }[] };
  expect(swept.jobs).toEqual([failed.number]);
  await expect(site.client.getJob({ job: failed.id })).rejects.toMatchObject({ code: 'object.missing' });
  expect(swept.kept.find(({ job }) => job === proof.number)?.why).toContain('proof');
  expect(swept.kept.find(({ job }) => job === unsettled.number)?.why).toContain('may still be in a cloud');

  await cloudspan('retention', 'set', '--receipts', '60d');
  expect((await cloudspan('retention', 'sweep')).jobs).toContain(proof.number);
  await expect(site.client.getJob({ job: proof.id })).rejects.toMatchObject({ code: 'object.missing' });
  expect((await site.client.getJob({ job: unsettled.id })).state).toBe('failed');
  expect((await site.client.getJob({ job: young.id })).receipt).toBeDefined();
  const rows = await inDatabase('SELECT workflow_uuid FROM dbos.workflow_status WHERE workflow_uuid LIKE $1', [
    `${proof.id}.%`,
  ]);
  expect(rows).toEqual([]);
});

test('a job that has not ended is never swept, however old it is', async () => {
  await cloudspan('retention', 'set', '--logs', '1', '--jobs', '1', '--receipts', '1');
  const { id, number } = await site.copy({ source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name: 'kept' });
  await site.client.pauseJob({ job: id });
  await site.until(
    async () => ((await site.client.getJob({ job: id })).state === 'paused' ? true : undefined),
    30,
    '?',
  );
  await inDatabase(
    "UPDATE jobs SET created_at = now() - interval '1 year', ended_at = now() - interval '1 year' WHERE id = $1",
    [id],
  );
  const swept = (await cloudspan('retention', 'sweep')) as { logs: number[]; jobs: number[] };
  expect([swept.logs, swept.jobs].flat()).not.toContain(number);
  await site.client.resumeJob({ job: id });
  expect((await site.end(id)).state).toBe('succeeded');
  await cloudspan('retention', 'set', '--logs', '90', '--jobs', 'never', '--receipts', 'never');
});
