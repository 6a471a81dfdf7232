import type { Command } from 'commander';
import { endOf } from './copy.ts';
import { readPriority } from './flags.ts';
import { bytesText, printJson, printLine, printTable, secondsText } from './output.ts';
import { followJob } from './progress.ts';
import { connectLast } from './session.ts';
import { addUndo, printUndo } from './undo.ts';

interface JsonFlag {
  json?: boolean;
}

export function addJobs(program: Command): void {
  const jobs = program.command('jobs').description('what Cloudspan does and did');
  jobs
    .command('list')
    .option('--state <state>', 'only jobs in this state')
    .option('--json', 'answer as JSON')
    .action(list);
  jobs
    .command('show <job>')
    .description('one job, by its number or id')
    .option('--follow', 'stay until it ends')
    .option('--json', 'answer as JSON')
    .action(show);
  jobs
    .command('cancel <job>')
    .description('stop a job and undo what it made')
    .option('--json', 'answer as JSON')
    .action(cancel);
  jobs
    .command('pause <job>')
    .description('give back what the job holds in the clouds; what arrived is kept, and it can be resumed')
    .option('--json', 'answer as JSON')
    .action(pause);
  jobs.command('resume <job>').description('go on with a paused job').option('--json', 'answer as JSON').action(resume);
  jobs
    .command('priority <job> <priority>')
    .description('1 (what every job has) to 4: its part where copies share a limit or the way between two nodes')
    .option('--json', 'answer as JSON')
    .action(priority);
  jobs
    .command('retry <job>')
    .description('run a failed or cancelled job again; what arrived is kept')
    .option('--json', 'answer as JSON')
    .action(retry);
  jobs
    .command('delete-source <job>')
    .description('delete for good the source that a move set aside; refused unless the copy is proven and there')
    .option('--json', 'answer as JSON')
    .action(deleteSource);
  addUndo(jobs);
  jobs.command('log <job>').description('the log of a job').option('--json', 'answer as JSON').action(log);
  jobs
    .command('ledger <job>')
    .description('everything that a job made or changed in any cloud')
    .option('--json', 'answer as JSON')
    .action(ledger);
  jobs.command('receipt <job>').description('the signed proof that the copy is equal, as JSON').action(receipt);
}

async function list(flags: JsonFlag & { state?: string }): Promise<void> {
  await using connection = await connectLast();
  const { jobs } = await connection.client.listJobs({ query: flags.state === undefined ? {} : { state: flags.state } });
  if (flags.json === true) return printJson({ jobs });
  printTable(
    ['JOB', 'STATE', 'WHAT', 'DONE', 'STARTED'],
    jobs.map((job) => [
      String(job.number),
      job.state,
      job.title,
      job.progress === undefined ? '' : `${bytesText(job.progress.doneBytes)} of ${bytesText(job.progress.totalBytes)}`,
      job.startedAt ?? '',
    ]),
  );
}

async function show(id: string, flags: JsonFlag & { follow?: boolean }): Promise<void> {
  await using connection = await connectLast();
  if (flags.follow === true)
    return endOf(
      await followJob(connection.client, id, flags.json === true, new AbortController().signal),
      flags.json === true,
    );
  const job = await connection.client.getJob({ job: id });
  if (flags.json === true) return printJson(job);
  const special = (job.priority ?? 1) === 1 ? '' : `  priority ${job.priority}`;
  printLine(`job ${job.number}  ${job.title}  ${job.state}${special}`);
  for (const step of job.steps)
    printLine(`  ${step.state.padEnd(8)} ${step.name}${step.text === undefined ? '' : `: ${step.text}`}`);
  for (const disk of job.progress?.disks ?? []) {
    printLine(
      `  disk ${disk.label}: ${bytesText(disk.arrivedBytes)} arrived, ${bytesText(disk.givenBytes)} written, of ${bytesText(disk.capacityBytes)}`,
    );
  }
  if (job.etaSeconds !== undefined)
    printLine(`  ${bytesText(job.bytesPerSecond ?? 0)}/s, ETA ${secondsText(job.etaSeconds)}`);
  for (const check of job.checks.filter((one) => one.outcome !== 'pass'))
    printLine(`  ${check.outcome} ${check.name}: ${check.found}`);
  if (job.failure !== undefined) {
    printLine(`  ${job.failure.message}`);
    printLine(`  what to do: ${job.failure.remedy}`);
    for (const leftover of job.failure.leftovers) printLine(`  left over: ${leftover}`);
  } else if (job.result !== undefined) endOf(job, false);
  if (job.waitsFor !== undefined) printLine(`  ${job.waitsFor}`);
  if (job.movedSource !== undefined) {
    const { state, deleteAt, refusal } = job.movedSource;
    printLine(`  source: ${state}${deleteAt === undefined ? '' : `, to be deleted at ${deleteAt}`}`);
    if (refusal !== undefined) printLine(`  source: not deleted: ${refusal}`);
  }
  if (job.undo !== undefined) printUndo(job.undo);
}

async function cancel(id: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const job = await connection.client.cancelJob({ job: id });
  if (flags.json === true) return printJson(job);
  printLine(`job ${job.number} is ${job.state}`);
}

async function pause(id: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const job = await connection.client.pauseJob({ job: id });
  if (flags.json === true) return printJson(job);
  printLine(`job ${job.number} is ${job.state}; go on with: cloudspan jobs resume ${job.number}`);
}

async function resume(id: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const job = await connection.client.resumeJob({ job: id });
  if (flags.json === true) return printJson(job);
  printLine(`job ${job.number} is ${job.state}; follow it with: cloudspan jobs show ${job.number} --follow`);
}

async function priority(id: string, text: string, flags: JsonFlag): Promise<void> {
  const wanted = readPriority(text);
  await using connection = await connectLast();
  const job = await connection.client.setPriority({ job: id, body: { priority: wanted } });
  if (flags.json === true) return printJson(job);
  printLine(`job ${job.number} has priority ${job.priority ?? wanted}`);
}

async function retry(id: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const job = await connection.client.retryJob({ job: id });
  endOf(
    await followJob(connection.client, job.id, flags.json === true, new AbortController().signal),
    flags.json === true,
  );
}

async function deleteSource(id: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const job = await connection.client.deleteSource({ job: id });
  if (flags.json === true) return printJson({ job: job.number, source: job.movedSource });
  printLine(`the source of job ${job.number} is deleted`);
}

async function log(id: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const { lines } = await connection.client.jobLog({ job: id, query: {} });
  if (flags.json === true) return printJson({ lines });
  for (const line of lines) printLine(`${line.at} ${line.level.padEnd(5)} ${line.from}: ${line.text}`);
}

async function ledger(id: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const { entries } = await connection.client.jobLedger({ job: id });
  if (flags.json === true) return printJson({ entries });
  printTable(
    ['STATE', 'ACTION', 'KIND', 'ROLE', 'NAME', 'CLOUD', 'OBJECT', 'CHANGED'],
    entries.map((entry) => [
      entry.state,
      entry.action,
      entry.kind,
      entry.role,
      entry.name,
      entry.cloud,
      entry.objectId ?? '',
      entry.action === 'change' ? `${entry.before ?? ''} → ${entry.after ?? ''}` : '',
    ]),
  );
}

async function receipt(id: string): Promise<void> {
  await using connection = await connectLast();
  const job = await connection.client.getJob({ job: id });
  printJson(job.receipt ?? null);
}
