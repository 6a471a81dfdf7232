import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import type { Client } from '../protocol/client.ts';
import { printJson, printLine, printTable } from './output.ts';
import { connectLast } from './session.ts';

interface AuditFlags {
  since?: string;
  until?: string;
  account?: string;
  operation?: string;
  outcome?: string;
  json?: boolean;
  csv?: boolean;
}

type Entry = Awaited<ReturnType<Client['listAudit']>>['entries'][number];

const FIELDS = ['number', 'at', 'account', 'address', 'via', 'operation', 'object', 'outcome'] as const;
const UNITS: Record<string, number> = { m: 60_000, h: 3600_000, d: 24 * 3600_000 };

export function addAudit(program: Command): void {
  program
    .command('audit')
    .description('who did what: every action and every sign-in, also the refused ones')
    .option('--since <time>', 'ISO 8601, or as long ago as 30m, 12h, 7d')
    .option('--until <time>', 'likewise; what is older')
    .option('--account <name>')
    .option('--operation <name>', 'of the API: login, startJob, power …')
    .option('--outcome <outcome>', 'done, or the code of a fault')
    .option('--json', 'one line of JSON for each')
    .option('--csv', 'as CSV (RFC 4180)')
    .action(audit);
}

async function audit(flags: AuditFlags): Promise<void> {
  const { account, operation, outcome } = flags;
  const query = {
    ...(flags.since === undefined ? {} : { since: readTime(flags.since) }),
    ...(flags.until === undefined ? {} : { until: readTime(flags.until) }),
    ...(account === undefined ? {} : { account }),
    ...(operation === undefined ? {} : { operation }),
    ...(outcome === undefined ? {} : { outcome }),
  };
  await using connection = await connectLast();
  if (flags.csv === true) process.stdout.write(`${FIELDS.join(',')}\r\n`);
  const rows: Entry[] = [];
  for await (const entry of entriesOf(connection.client, query)) {
    if (flags.json === true) printJson(entry);
    else if (flags.csv === true) process.stdout.write(`${FIELDS.map((field) => cell(entry[field])).join(',')}\r\n`);
    else rows.push(entry);
  }
  if (flags.json === true || flags.csv === true) return;
  printTable(
    ['AT', 'ACCOUNT', 'FROM', 'OPERATION', 'OBJECT', 'OUTCOME'],
    rows.map((entry) => [
      entry.at,
      entry.account,
      [entry.address, entry.via === 'session' ? undefined : entry.via].filter((part) => part !== undefined).join(' '),
      entry.operation,
      entry.object,
      entry.outcome,
    ]),
  );
  if (rows.length === 0) printLine('nothing fits');
}

async function* entriesOf(client: Client, query: Parameters<Client['listAudit']>[0]['query']): AsyncGenerator<Entry> {
  for (let after = 0; ; ) {
    const { entries } = await client.listAudit({ query: { ...query, after, limit: 1000 } });
    yield* entries;
    const last = entries.at(-1);
    if (last === undefined) return;
    after = last.number;
  }
}

/** Quoted, and with what a spreadsheet would run as a formula made harmless. */
function cell(value: string | number | undefined): string {
  const text = String(value ?? '');
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function readTime(text: string): string {
  const ago = /^(\d{1,6})([mhd])$/.exec(text);
  const time = ago === null ? new Date(text) : new Date(Date.now() - Number(ago[1]) * (UNITS[ago[2] ?? ''] ?? 0));
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new Fault('input.invalid', `"${text}" is no time`, {
    remedy: 'Write 2026-01-31, 2026-01-31T12:00:00Z, 30m, 12h or 7d.',
  });
}
