import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import type { DoctorView, Orphan } from '../protocol/api/doctor.ts';
import { printable, printJson, printLine } from './output.ts';
import { ask, canAsk } from './prompt.ts';
import { connectLast } from './session.ts';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what is not well, and objects in the clouds that jobs left behind; ends with 1 unless all is well')
    .option('--remove <cloud/id>', 'remove one of the orphans, after showing it')
    .option('--yes', 'do not ask for its name')
    .option('--json', 'answer as JSON')
    .action(doctor);
}

async function doctor(flags: { remove?: string; yes?: boolean; json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { client } = connection;
  const view = await client.doctor({});
  if (flags.remove === undefined) {
    if (flags.json === true) printJson(view);
    else printView(view);
    if (!view.well) process.exitCode = 1;
    return;
  }
  const orphan = orphanAt(view, flags.remove);
  if (flags.json !== true) printOrphan(orphan);
  if (flags.yes !== true) await confirmName(orphan);
  await client.removeOrphan({ cloud: orphan.cloud, object: orphan.id });
  if (flags.json === true) printJson({ removed: orphan });
  else printLine('removed');
}

function printView({ well, findings, orphans }: DoctorView): void {
  for (const { severity, about, subject, text, remedy } of findings) {
    printLine(`${severity}  ${about} ${subject}: ${text}`);
    if (remedy !== '') printLine(`      ${remedy}`);
  }
  if (orphans.length > 0) printLine('orphans: made by this installation, and nobody’s any more');
  for (const orphan of orphans) printOrphan(orphan);
  if (orphans.length > 0) printLine('remove one with: cloudspan doctor --remove <cloud>/<id>');
  if (well) printLine('all is well');
}

function printOrphan({ cloud, id, kind, name, path, power, madeAt, why }: Orphan): void {
  const age = madeAt === undefined ? 'age not known' : `${ageOf(madeAt)} old`;
  printLine(`  ${cloud}/${id}  ${kind} "${name}"  ${power}, ${age}`);
  printLine(`      at ${cloud}${path}: ${why}`);
}

function ageOf(madeAt: string): string {
  const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(madeAt)) / 60_000));
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} days`;
}

function orphanAt({ orphans, findings }: DoctorView, text: string): Orphan {
  const found = orphans.find(({ cloud, id }) => text === `${cloud}/${id}` || text === `${cloud}/id:${id}`);
  if (found !== undefined) return found;
  const silent = findings.filter(({ about, subject }) => about === 'cloud' && text.startsWith(`${subject}/`));
  throw new Fault('object.missing', `"${text}" is no orphan${silent.map((one) => `: ${one.text}`).join('')}`, {
    remedy: 'The list of `cloudspan doctor` has the ids. The result of a job goes by `cloudspan jobs undo <job>`.',
  });
}

async function confirmName({ name }: Orphan): Promise<void> {
  if (!canAsk()) {
    throw new Fault('input.invalid', `removing "${name}" was not confirmed, and there is no terminal to ask on`, {
      remedy: 'Add --yes.',
    });
  }
  const answer = await ask(`It is removed with its disks, for good. Type its name, ${printable(name)}: `);
  if (answer !== name) throw new Fault('input.invalid', 'that is not its name: nothing was removed');
}
