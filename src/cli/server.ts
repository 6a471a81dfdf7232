import { open, rename, rm, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import { bytesText, printJson, printLine, printTable } from './output.ts';
import { type Connection, connectLast } from './session.ts';

interface JsonFlag {
  json?: boolean;
}

/** Commands about the server as a whole; `cloudspan server` itself starts one and is in `src/main.ts`. */
export function addServer(program: Command): void {
  program
    .command('backup <file>')
    .description('write the whole server into one encrypted file while it works; the key of its vault is not inside')
    .option('--json', 'answer as JSON')
    .action(backup);
  program
    .command('support-bundle <file>')
    .description('versions, settings, states, and the jobs of the last days with their logs, as tar.gz without secrets')
    .option('--days <days>', 'how far back', '7')
    .option('--json', 'answer as JSON')
    .action(supportBundle);
  const server = program.commands.find((command) => command.name() === 'server') ?? program.command('server');
  server
    .command('show')
    .description('the version of the server, and whether it is on hold')
    .option('--json', 'answer as JSON')
    .action(show);
  server
    .command('list')
    .description('the servers that share one database: where they are, and how many jobs each has')
    .option('--json', 'answer as JSON')
    .action(list);
  server
    .command('release-hold')
    .description(
      'after a restore, when the old server is gone for good: compare the ledger with the clouds, then go on with the jobs',
    )
    .option('--patience <seconds>', 'how long clouds are waited for that do not answer', '60')
    .option('--json', 'answer as JSON')
    .action(releaseHold);
}

async function backup(file: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const bytes = await saveDownload(connection, 'backup', file);
  if (flags.json === true) printJson({ file, bytes });
  else {
    printLine(`${file}: ${bytesText(bytes)}`);
    printLine('To restore it you need the file vault.key of the server as well: keep it somewhere else.');
  }
}

async function supportBundle(file: string, flags: JsonFlag & { days: string }): Promise<void> {
  await using connection = await connectLast();
  const bytes = await saveDownload(connection, 'supportBundle', file, { days: flags.days });
  if (flags.json === true) printJson({ file, bytes });
  else printLine(`${file}: ${bytesText(bytes)}; it holds names of machines and addresses, and no secrets`);
}

/** Whole or not at all, readable by its owner only. Fault `object.exists`. */
async function saveDownload(
  connection: Connection,
  name: Parameters<Connection['download']>[0],
  file: string,
  query: Record<string, string> = {},
): Promise<number> {
  if ((await stat(file).catch(() => null)) !== null) {
    throw new Fault('object.exists', `${file} is there already`, { remedy: 'Choose another name.' });
  }
  const part = `${file}.part`;
  let bytes = 0;
  try {
    const target = await open(part, 'w', 0o600);
    try {
      for await (const chunk of connection.download(name, query)) {
        await target.write(chunk);
        bytes += chunk.length;
      }
      await target.sync();
    } finally {
      await target.close();
    }
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  return bytes;
}

async function show(flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const server = await connection.client.getServer({});
  if (flags.json === true) return printJson(server);
  printLine(`server ${connection.server}, version ${server.version}`);
  if (server.onHold === undefined) return;
  printLine(`on hold since ${server.onHold.since}: it was restored from the backup of ${server.onHold.backup}`);
  printLine('when the old server is gone for good: cloudspan server release-hold');
}

async function list(flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const { servers } = await connection.client.listServers({});
  if (flags.json === true) return printJson({ servers });
  printTable(
    ['HOST', 'ADDRESS', 'VERSION', 'STATE', 'LAST HEARD', 'JOBS', ''],
    servers.map((one) => [
      one.host,
      one.address,
      one.version,
      one.alive ? 'there' : 'silent',
      one.seenAt,
      String(one.jobs),
      [one.steward ? 'watches clouds and alarms' : '', one.this ? 'this one' : ''].filter(Boolean).join(', '),
    ]),
  );
}

async function releaseHold(flags: JsonFlag & { patience: string }): Promise<void> {
  const patienceSeconds = Number(flags.patience);
  if (!Number.isInteger(patienceSeconds)) throw new Fault('input.invalid', `--patience ${flags.patience} is no number`);
  await using connection = await connectLast();
  const answer = await connection.client.releaseHold({ body: { patienceSeconds } });
  if (flags.json === true) return printJson(answer);
  printLine(`${answer.compared} objects of the ledger were looked for, ${answer.gone.length} are gone`);
  for (const { job, cloud, kind, name, object } of answer.gone) {
    printLine(`  gone: ${kind} "${name}" (${object}) in ${cloud}, made by job ${job}`);
  }
  for (const { cloud, why, objects } of answer.notCompared) {
    printLine(`  not compared: ${objects} objects in ${cloud}: ${why}`);
  }
  printLine('the server works again');
}
