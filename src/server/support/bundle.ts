import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { Fault } from '../../model/fault.ts';
import type { Alarms } from '../alarms/alarms.ts';
import type { Channels } from '../alarms/channels.ts';
import type { Clouds } from '../clouds.ts';
import type { Hold } from '../hold.ts';
import { viewOfJob } from '../jobs/record.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Nodes } from '../nodes.ts';
import type { Readiness } from '../readiness.ts';
import type { Retention } from '../retention/retention.ts';
import type { Database } from '../store/database.ts';
import { type JobRow, readJob, readLedger, readLines } from '../store/jobs.ts';
import { readAudit, readRecentJobs } from '../store/support.ts';
import type { Vault } from '../vault.ts';
import { VERSION } from '../version.ts';
import { knownSecrets, scrub } from './scrub.ts';

const LOG_LINES_AT_A_TIME = 2_000;

export interface BundleSource {
  folder: string;
  database: Database;
  vault: Vault;
  nodes: Nodes;
  clouds: Clouds;
  alarms: Alarms;
  channels: Channels;
  retention: Retention;
  readiness: Readiness;
  metrics: Metrics;
  hold: Hold;
}

/**
 * tar.gz of what helps to understand what happened in the last days. Made of what the API shows anyway; every secret that
 * the vault knows is struck out of every file besides. A part that cannot be read is named instead.
 */
export async function writeBundle(source: BundleSource, days: number, signal: AbortSignal): Promise<Readable> {
  const token = await readFile(join(source.folder, 'metrics.token'), 'utf8').catch(() => '');
  const secrets = [...(await knownSecrets(source.database, source.vault)), token.trim()];
  const tar = pack();
  const fill = async () => {
    for await (const { name, text } of filesOf(source, days)) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        tar.entry({ name: `cloudspan-support/${name}`, mode: 0o600 }, scrub(text, secrets), (error) =>
          error ? reject(error) : resolve(),
        );
      });
    }
    tar.finalize();
  };
  fill().catch((error: unknown) => tar.destroy(error as Error));
  return Readable.from(tar).pipe(createGzip());
}

async function* filesOf(source: BundleSource, days: number): AsyncGenerator<{ name: string; text: string }> {
  const { database, nodes, clouds, alarms, channels, retention, readiness, metrics, hold } = source;
  const parts: Record<string, () => unknown> = {
    'server.json': () => ({
      version: VERSION,
      onHold: hold.note,
      at: new Date().toISOString(),
      upSeconds: Math.round(process.uptime()),
      runtime: process.version,
      platform: `${process.platform} ${process.arch}`,
      memory: { ...process.memoryUsage(), total: totalmem() },
    }),
    'health.json': async () => ({ live: true, ready: await readiness.look() }),
    'nodes.json': () => nodes.list(),
    'clouds.json': () => clouds.list(),
    'alarms.json': async () => ({ rules: await alarms.rules(), alarms: await alarms.list() }),
    // The path of a webhook's address often is its password.
    'channels.json': async () =>
      (await channels.list()).map((one) =>
        one.target.kind === 'webhook'
          ? { ...one, target: { ...one.target, url: new URL(one.target.url).origin } }
          : one,
      ),
    'retention.json': () => retention.get(),
    'metrics.txt': () => metrics.text(),
    'audit.json': () => readAudit(database, days),
  };
  for (const [name, part] of Object.entries(parts)) yield { name, text: await textOf(part, name) };
  for (const { id, number } of await readRecentJobs(database, days).catch(() => [])) {
    const row = await readJob(database, id);
    if (row === null) continue;
    const job = async () => ({ job: slim(row), ledger: await readLedger(database, id) });
    yield { name: `jobs/${number}.json`, text: await textOf(job, `job ${number}`) };
    yield { name: `jobs/${number}.log`, text: await textOf(() => logOf(database, id), `the log of job ${number}`) };
  }
}

/** Differences are named without their values: they may be properties of a guest. */
function slim(row: JobRow) {
  const view = viewOfJob(row);
  if (view.result === undefined) return view;
  const differences = view.result.differences.map(({ field, nature }) => ({ field, nature }));
  return { ...view, result: { ...view.result, differences } };
}

async function logOf(database: Database, job: string): Promise<string> {
  const texts: string[] = [];
  for (let after = 0; ; ) {
    const lines = await readLines(database, job, after);
    texts.push(...lines.map(({ at, level, from, text }) => `${at} ${level} ${from}: ${text}\n`));
    after = lines.at(-1)?.number ?? after;
    if (lines.length < LOG_LINES_AT_A_TIME) return texts.join('');
  }
}

async function textOf(part: () => unknown, name: string): Promise<string> {
  try {
    const value = await part();
    return typeof value === 'string' ? value : `${JSON.stringify(value, undefined, 2)}\n`;
  } catch (error) {
    return `${JSON.stringify({ fault: Fault.from(error, name).report() })}\n`;
  }
}
