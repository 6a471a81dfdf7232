import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import type { JobView } from '../protocol/api/jobs.ts';
import type { UndoRow, UndoView } from '../protocol/api/undo.ts';
import type { Client } from '../protocol/client.ts';
import { printJson, printLine } from './output.ts';
import { connectLast } from './session.ts';

const ASK_MILLISECONDS = 500;

export function addUndo(jobs: Command): void {
  jobs
    .command('undo <job>')
    .description('what removing all that an ended job made would do, its result included; --yes does it')
    .option('--yes', 'remove what may go; without it nothing is touched')
    .option('--json', 'answer as JSON')
    .action(undo);
}

async function undo(id: string, flags: { yes?: boolean; json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { client } = connection;
  if (flags.yes !== true) {
    const preview = await client.previewUndo({ job: id });
    if (flags.json === true) return printJson(preview);
    printRows(preview.rows);
    const some = preview.rows.some(({ outcome }) => outcome === 'remove' || outcome === 'restore');
    return printLine(
      some
        ? `nothing was touched; carry it out with: cloudspan jobs undo ${preview.job} --yes`
        : 'nothing was touched, and nothing would be removed',
    );
  }
  const job = await ended(client, await client.undoJob({ job: id }));
  const { undo: done } = job;
  if (flags.json === true) printJson({ job: job.number, undo: done });
  else if (done !== undefined) printUndo(done);
  if (done?.fault !== undefined) throw Fault.fromReport(done.fault);
  if (done?.rows.some(({ outcome }) => outcome === 'left')) process.exitCode = 1;
}

/** A server that is away for a while is waited for: the undo goes on without us. */
async function ended(client: Client, begun: JobView): Promise<JobView> {
  for (let job: JobView | undefined = begun; ; ) {
    if (job !== undefined && job.undo?.state !== 'running') return job;
    await sleep(ASK_MILLISECONDS);
    job = await client.getJob({ job: begun.id }).catch((error) => {
      if (error?.retry === 'soon') return undefined;
      throw error;
    });
  }
}

export function printUndo({ state, user, startedAt, endedAt, rows }: UndoView): void {
  printLine(`undo by ${user}: ${state}, ${endedAt ?? `since ${startedAt}`}`);
  printRows(rows);
}

const WORDS: Record<UndoRow['outcome'], string> = {
  remove: 'would remove',
  removed: 'removed',
  restore: 'would set back',
  restored: 'set back',
  left: 'left alone',
  gone: 'nothing there',
  unknown: 'not known',
};

function printRows(rows: readonly UndoRow[]): void {
  if (rows.length === 0) printLine('  the job made nothing');
  for (const { outcome, kind, name, cloud, object, role, reason } of rows) {
    const what = `${kind} "${name}" (${role}${object === undefined ? '' : `, ${object}`}) in ${cloud}`;
    printLine(`  ${WORDS[outcome].padEnd(14)} ${what}: ${reason}`);
  }
}
