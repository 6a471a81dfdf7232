import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import type { RetentionView } from '../protocol/api/retention.ts';
import { printJson, printLine } from './output.ts';
import { connectLast } from './session.ts';

interface SetFlags {
  logs?: string;
  jobs?: string;
  receipts?: string;
  json?: boolean;
}

export function addRetention(program: Command): void {
  const retention = program.command('retention').description('how long ended jobs, their logs and receipts are kept');
  retention.command('show').option('--json', 'answer as JSON').action(show);
  retention
    .command('set')
    .description('days after the end of a job, or never')
    .option('--logs <days>', 'logs of jobs')
    .option('--jobs <days>', 'jobs that are no proof of a copy')
    .option('--receipts <days>', 'jobs that are one, with receipt and ledger; they go with --jobs, never before')
    .option('--json', 'answer as JSON')
    .action(set);
  retention
    .command('sweep')
    .description('remove now what is kept long enough; this happens every hour anyway')
    .option('--dry-run', 'only say what would go')
    .option('--json', 'answer as JSON')
    .action(sweep);
}

async function show(flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  print(await connection.client.getRetention({}), flags);
}

async function set(flags: SetFlags): Promise<void> {
  const body = {
    ...(flags.logs === undefined ? {} : { logDays: daysOf(flags.logs) }),
    ...(flags.jobs === undefined ? {} : { jobDays: daysOf(flags.jobs) }),
    ...(flags.receipts === undefined ? {} : { receiptDays: daysOf(flags.receipts) }),
  };
  await using connection = await connectLast();
  print(await connection.client.setRetention({ body }), flags);
}

async function sweep(flags: { dryRun?: boolean; json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const answer = await connection.client.sweep({ body: { dryRun: flags.dryRun === true } });
  if (flags.json === true) return printJson(answer);
  const verb = flags.dryRun === true ? 'would be removed' : 'removed';
  printLine(`logs ${verb}: ${answer.logs.join(', ') || 'none'}`);
  printLine(`jobs ${verb}: ${answer.jobs.join(', ') || 'none'}`);
  for (const { job, why } of answer.kept) printLine(`job ${job} stays: ${why}`);
}

function print(view: RetentionView, flags: { json?: boolean }): void {
  const text = (days: number | null) => (days === null ? 'for ever' : `${days} days`);
  if (flags.json === true) printJson(view);
  else {
    printLine(`logs      ${text(view.logDays)}`);
    printLine(`jobs      ${text(view.jobDays)}`);
    printLine(`receipts  ${text(view.receiptDays)}`);
  }
}

function daysOf(text: string): number | null {
  if (text === 'never') return null;
  const [, days] = /^(\d{1,5})d?$/.exec(text) ?? [];
  if (days !== undefined && Number(days) > 0) return Number(days);
  throw new Fault('input.invalid', `"${text}" is no number of days`, { remedy: 'Write 90, 90d or never.' });
}
