import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { parseAddress, writeAddress } from '../base/address.ts';
import { createLog } from '../base/log.ts';
import { wayOfEnvironment } from '../base/proxy-rules.ts';
import { STALL_SECONDS } from '../base/silence.ts';
import { printJson, printLine } from '../cli/output.ts';
import { readSecret } from '../cli/prompt.ts';
import { addVault } from '../cli/vault.ts';
import { Fault } from '../model/fault.ts';
import { STALL_HELP, stallSeconds } from './stall-seconds.ts';
import { untilStopped } from './until-stopped.ts';

const SERVER_FOLDER = join(homedir(), '.cloudspan', 'server');

interface ServerFlags {
  relay: boolean;
  apiRate?: string;
  data: string;
  listen: string;
  address?: string;
  stallSeconds: string;
  json?: boolean;
  exitWithStdin?: boolean;
}

/** `cloudspan server`, and what is done on its machine. `root` is the folder that holds `dist/ui`. */
export function addServerCommands(program: Command, root: string): void {
  const server = program
    .command('server')
    .description('run the server: API, UI and jobs')
    .enablePositionalOptions()
    .option('--data <folder>', 'where it keeps its keys and its database', SERVER_FOLDER)
    .option('--listen <host:port>', 'address of API, UI and node links', '127.0.0.1:8443')
    .option('--address <host:port>', 'where nodes dial this very server, when several share one database')
    .option('--stall-seconds <seconds>', STALL_HELP, String(STALL_SECONDS))
    .option('--api-rate <number>', 'requests that one session, token or address may make in a minute')
    .option('--no-relay', 'do not let nodes that cannot dial each other meet on this port')
    .option('--json', 'say with a line of JSON when it is ready')
    .option('--exit-with-stdin', 'end when standard input closes')
    .action(async (flags: ServerFlags) => {
      const { startServer } = await import('../server/server.ts');
      const server = await startServer({
        folder: resolve(flags.data),
        listen: parseAddress(flags.listen, 0),
        stallSeconds: stallSeconds(flags.stallSeconds),
        ...(process.env.DATABASE_URL === undefined ? {} : { databaseUrl: process.env.DATABASE_URL }),
        ...(flags.address === undefined ? {} : { address: writeAddress(parseAddress(flags.address)) }),
        uiFolder: join(root, 'dist/ui'),
        relay: flags.relay,
        ...(flags.apiRate === undefined ? {} : { apiRate: apiRate(flags.apiRate) }),
        way: wayOfEnvironment(process.env),
        log: createLog('server'),
      });
      if (flags.json === true) {
        printJson({
          ready: true,
          url: server.url,
          fingerprint: server.fingerprint,
          pin: server.pin,
          firstPassword: server.firstPassword,
        });
      } else {
        printLine(`server is ready at ${server.url}`);
        printLine(`its certificate has the SHA-256 ${server.fingerprint}`);
        if (server.firstPassword !== undefined) {
          printLine(`first account: admin, password: ${server.firstPassword} (shown only this once)`);
        }
      }
      await untilStopped(() => server.close(), flags.exitWithStdin === true);
    });

  server
    .command('reset-password')
    .description("set a password on the server's machine, for an administrator who is locked out; the server may run")
    .option('--data <folder>', 'of the server (with DATABASE_URL its database is used)', SERVER_FOLDER)
    .option('--account <name>', 'whose', 'admin')
    .option('--password-file <file>', 'the new one, in a file (- for stdin); else one is made and shown')
    .option('--json', 'answer as JSON')
    .action(async (flags: { data: string; account: string; passwordFile?: string; json?: boolean }) => {
      const { resetPassword } = await import('../server/reset-password.ts');
      const { account, password } = await resetPassword({
        folder: resolve(flags.data),
        ...(process.env.DATABASE_URL === undefined ? {} : { databaseUrl: process.env.DATABASE_URL }),
        account: flags.account,
        ...(flags.passwordFile === undefined ? {} : { password: await readSecret('Password', flags.passwordFile, '') }),
        log: createLog('server'),
      });
      const made = flags.passwordFile === undefined ? { password } : {};
      if (flags.json === true) printJson({ account, ...made });
      else
        printLine(
          made.password === undefined ? `${account} has a new password` : `${account} has the password ${password}`,
        );
    });

  addVault(server, async (folder) => {
    const { rotateVaultKey } = await import('../server/rotate-vault-key.ts');
    return rotateVaultKey({
      folder: resolve(folder),
      ...(process.env.DATABASE_URL === undefined ? {} : { databaseUrl: process.env.DATABASE_URL }),
      log: createLog('server'),
    });
  });

  program
    .command('restore <file>')
    .description(
      'make a server out of a backup, in an empty folder (and an empty database, where DATABASE_URL names one)',
    )
    .option('--data <folder>', 'folder of the new server', join(homedir(), '.cloudspan', 'server'))
    .requiredOption('--vault-key <file>', 'the file vault.key of the server that was backed up')
    .option('--json', 'answer as JSON')
    .action(async (file: string, flags: { data: string; vaultKey: string; json?: boolean }) => {
      const { restoreServer } = await import('../server/backup/restore.ts');
      const restored = await restoreServer({
        file: resolve(file),
        folder: resolve(flags.data),
        vaultKeyFile: resolve(flags.vaultKey),
        ...(process.env.DATABASE_URL === undefined ? {} : { databaseUrl: process.env.DATABASE_URL }),
        log: createLog('restore'),
      });
      if (flags.json === true) return printJson(restored);
      printLine(`restored the backup of ${restored.at} (version ${restored.product}): ${restored.rows} rows`);
      printLine('Start it with `cloudspan server`: it is on hold, and works after `cloudspan server release-hold`.');
    });
}

function apiRate(text: string): number {
  const rate = Number(text);
  if (Number.isInteger(rate) && rate > 0) return rate;
  throw new Fault('input.invalid', `--api-rate ${text} is no whole number above 0`);
}
