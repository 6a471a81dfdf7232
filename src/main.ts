#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { parseAddress, writeAddress } from './base/address.ts';
import { createLog } from './base/log.ts';
import { wayOfEnvironment } from './base/proxy-rules.ts';
import { STALL_SECONDS } from './base/silence.ts';
import { plainHex } from './base/tls.ts';
import { readNamedFile } from './cli/files.ts';
import { printFault, printJson, printLine } from './cli/output.ts';
import { addClientCommands } from './cli/program.ts';
import { readSecret } from './cli/prompt.ts';
import { addProxyFlags, type ProxyFlags } from './cli/proxy-flags.ts';
import { Fault } from './model/fault.ts';

/** Sources run as they are; an installed package has them built under `dist/`. */
const built = import.meta.filename.endsWith('.js');
const code = resolve(import.meta.dirname, '..');
const root = built ? resolve(code, '..') : code;
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const program = new Command('cloudspan')
  .description('See all your clouds at once, copy machines between them, and prove that the copy is right.')
  .version(version)
  .showHelpAfterError('(see --help)')
  .enablePositionalOptions()
  .exitOverride();

const SERVER_FOLDER = join(homedir(), '.cloudspan', 'server');
const STALL_HELP = 'silence after which a connection is given up';

interface ServerFlags {
  relay: boolean;
  apiRate?: string;
  data: string;
  listen: string;
  stallSeconds: string;
  json?: boolean;
  exitWithStdin?: boolean;
}

const server = program
  .command('server')
  .description('run the server: API, UI and jobs')
  .enablePositionalOptions()
  .option('--data <folder>', 'where it keeps its keys and its database', SERVER_FOLDER)
  .option('--listen <host:port>', 'address of API, UI and node links', '127.0.0.1:8443')
  .option('--stall-seconds <seconds>', STALL_HELP, String(STALL_SECONDS))
  .option('--api-rate <number>', 'requests that one session, token or address may make in a minute')
  .option('--no-relay', 'do not let nodes that cannot dial each other meet on this port')
  .option('--json', 'say with a line of JSON when it is ready')
  .option('--exit-with-stdin', 'end when standard input closes')
  .action(async (flags: ServerFlags) => {
    const { startServer } = await import('./server/server.ts');
    const server = await startServer({
      folder: resolve(flags.data),
      listen: parseAddress(flags.listen, 0),
      stallSeconds: stallSeconds(flags.stallSeconds),
      ...(process.env.DATABASE_URL === undefined ? {} : { databaseUrl: process.env.DATABASE_URL }),
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
    const { resetPassword } = await import('./server/reset-password.ts');
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

program
  .command('restore <file>')
  .description(
    'make a server out of a backup, in an empty folder (and an empty database, where DATABASE_URL names one)',
  )
  .option('--data <folder>', 'folder of the new server', join(homedir(), '.cloudspan', 'server'))
  .requiredOption('--vault-key <file>', 'the file vault.key of the server that was backed up')
  .option('--json', 'answer as JSON')
  .action(async (file: string, flags: { data: string; vaultKey: string; json?: boolean }) => {
    const { restoreServer } = await import('./server/backup/restore.ts');
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

interface NodeFlags extends ProxyFlags {
  data: string;
  name?: string;
  listen?: string;
  storageLimit: string;
  encryptStorage?: boolean;
  stallSeconds: string;
  packages: string[];
  packagesFingerprint?: string;
  address?: string;
  json?: boolean;
  exitWithStdin?: boolean;
}

interface JoinFlags extends NodeFlags {
  token?: string;
  tokenFile?: string;
  link: string;
  public?: boolean;
  run: boolean;
}

const nodeOptions = (command: Command) =>
  addProxyFlags(command)
    .option('--data <folder>', 'where it keeps its key and the transfer storage', join(homedir(), '.cloudspan', 'node'))
    .option('--name <name>', 'name that people see')
    .option('--listen <host:port>', 'port for peers and servers that dial this node')
    .option(
      '--address <list>',
      'host:port under which others reach this node, by comma, when it is not what it listens on',
    )
    .option('--storage-limit <GiB>', 'bound of the transfer storage', '40')
    .option(
      '--encrypt-storage',
      'keep blocks encrypted, under a key that the server gives and this node never writes down',
    )
    .option('--stall-seconds <seconds>', `${STALL_HELP}; the same on all nodes`, String(STALL_SECONDS))
    .option(
      '--packages <folder>',
      'a folder whose packages (OVA, OVF, Cloudspan) it may read and write, or the https address of one; may be repeated',
      (folder: string, all: string[]) => [...all, folder],
      [],
    )
    .option('--packages-fingerprint <sha256>', 'the confirmed certificate of such addresses (default: the CAs here)')
    .option('--json', 'say with a line of JSON when it is ready')
    .option('--exit-with-stdin', 'end when standard input closes');

const node = nodeOptions(
  program.command('node').description('run a node that has joined a server').enablePositionalOptions(),
).action((flags: NodeFlags) => runNode(flags));

nodeOptions(node.command('join <server>'))
  .description('join a server with a token of `cloudspan nodes token`, then run')
  .option('--token <token>', 'the token (or CLOUDSPAN_JOIN_TOKEN, or --token-file)')
  .option('--token-file <file>', 'file that holds the token')
  .option('--link <direction>', 'who dials: dial-home (this node) or direct (the server; needs --listen)', 'dial-home')
  .option('--public', 'peers may dial this node (needs --listen)')
  .option('--no-run', 'only join')
  .action(async (server: string, flags: JoinFlags) => {
    const token =
      flags.token ??
      (flags.tokenFile === undefined
        ? process.env.CLOUDSPAN_JOIN_TOKEN
        : readNamedFile(flags.tokenFile, '--token-file').trim());
    if (token === undefined)
      throw new Fault('input.invalid', 'the join token is missing', {
        remedy: 'Make one with `cloudspan nodes token`.',
      });
    if (flags.link !== 'dial-home' && flags.link !== 'direct')
      throw new Fault('input.invalid', `--link ${flags.link} is neither dial-home nor direct`);
    await runNode(flags, { server, token, link: flags.link, public: flags.public === true }, flags.run);
  });

interface Joining {
  server: string;
  token: string;
  link: 'dial-home' | 'direct';
  public: boolean;
}

async function runNode(flags: NodeFlags, joining?: Joining, run = true): Promise<void> {
  const { startNode } = await import('./node/agent.ts');
  const { joinServer } = await import('./node/join.ts');
  const { readProxies } = await import('./node/proxies.ts');
  const folder = resolve(flags.data);
  const log = createLog('node');
  const { ways, proxies } = await readProxies(flags, process.env);
  const addresses = flags.address?.split(',').map((one) => one.trim());
  const passphrase = process.env.CLOUDSPAN_PACKAGE_PASSPHRASE;
  const started = await startNode({
    folder,
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.listen === undefined ? {} : { listen: parseAddress(flags.listen, 0) }),
    transferLimitBytes: storageLimitBytes(flags.storageLimit),
    encryptStorage: flags.encryptStorage === true,
    stallSeconds: stallSeconds(flags.stallSeconds),
    packages: flags.packages,
    ...(flags.packagesFingerprint === undefined ? {} : { packageFingerprint: plainHex(flags.packagesFingerprint) }),
    ...(addresses === undefined ? {} : { addresses }),
    ways,
    proxies,
    ...(passphrase === undefined ? {} : { packagePassphrase: passphrase }),
    log,
  });
  try {
    if (joining !== undefined) {
      const address = addresses?.[0] ?? reachableAddress(flags.listen, started.address);
      if ((joining.public || joining.link === 'direct') && address === undefined) {
        throw new Fault('input.invalid', 'a node that others dial needs --listen host:port');
      }
      const { server, token, link, public: open } = joining;
      await joinServer({
        folder,
        server,
        token,
        link,
        public: open,
        name: started.name,
        way: ways.server,
        ...(address === undefined ? {} : { address }),
        ...(addresses === undefined ? {} : { addresses }),
      });
    }
  } catch (error) {
    await started.close();
    throw error;
  }
  if (!run) return started.close();
  const { name, pin } = started;
  const address = started.address === null ? undefined : writeAddress(started.address);
  if (flags.json === true) printJson({ ready: true, name, pin, address });
  else printLine(`node ${name} is running${address === undefined ? '' : `, it listens on ${address}`}`);
  await untilStopped(() => started.close(), flags.exitWithStdin === true);
}

program
  .command('lab [kind]')
  .description('run a simulated cloud: vcenter or cloud-director (further arguments go to it, see `lab <kind> --help`)')
  .allowUnknownOption()
  .allowExcessArguments()
  .helpOption(false)
  .action(async (kind: string | undefined, _flags: unknown, command: Command) => {
    const known = ['vcenter', 'cloud-director'];
    if (kind === undefined || kind === '--help' || kind === '-h') {
      return printLine(
        `cloudspan lab <kind> [flags]: ${known.join(' or ')}; the flags of each: cloudspan lab <kind> --help`,
      );
    }
    if (!known.includes(kind))
      throw new Fault('input.invalid', `there is no lab "${kind}"`, { remedy: `There are: ${known.join(', ')}.` });
    const words = command.args.slice(1);
    if (!words.includes('--data')) words.push('--data', join(homedir(), '.cloudspan', 'lab', kind));
    process.exitCode = await runChild(join(code, 'sims', kind, built ? 'main.js' : 'main.ts'), words);
  });

program
  .command('roots <settings>')
  .description('read the disks of one object straight out of a cloud and print their roots; without server and nodes')
  .addHelpText(
    'after',
    '\nsettings: JSON file {driver, options, fingerprint, object}; the secret is read from CLOUD_PASSWORD',
  )
  .action(async (settings: string) => {
    const { readRoots } = await import('./node/roots.ts');
    printJson(
      await readRoots(
        JSON.parse(readNamedFile(settings, 'settings')),
        process.env.CLOUD_PASSWORD ?? '',
        createLog('roots'),
      ),
    );
  });

program
  .command('demo')
  .description('two simulated clouds, a server, two nodes, one proven copy between them')
  .option('--once', 'stop after the verification')
  .option('--json', 'the last line is one JSON object')
  .option('--data <folder>', 'where everything is kept (default: a new temporary folder)')
  .action(async (flags: { once?: boolean; json?: boolean; data?: string }) => {
    const { runDemo } = await import('./cli/demo/demo.ts');
    process.exitCode = await runDemo({
      executable: [process.execPath, import.meta.filename],
      once: flags.once === true,
      json: flags.json === true,
      ...(flags.data === undefined ? {} : { folder: resolve(flags.data) }),
    });
  });

addClientCommands(program);

/** What others dial: the host that was typed, with the port that was really bound. */
function reachableAddress(
  listen: string | undefined,
  bound: { host: string; port: number } | null,
): string | undefined {
  if (listen === undefined || bound === null) return undefined;
  const { host } = parseAddress(listen, 0);
  if (host === '0.0.0.0' || host === '::') {
    throw new Fault('input.invalid', `nobody can dial ${host}: it stands for every address of this machine`, {
      remedy: 'Say with --address host:port how others reach this node.',
    });
  }
  return writeAddress({ host, port: bound.port });
}

function storageLimitBytes(gibibytes: string): number {
  const bytes = Number(gibibytes) * 1024 ** 3;
  if (Number.isFinite(bytes) && bytes > 0) return bytes;
  throw new Fault('input.invalid', `--storage-limit ${gibibytes} is no number of GiB above 0`);
}

function apiRate(text: string): number {
  const rate = Number(text);
  if (Number.isInteger(rate) && rate > 0) return rate;
  throw new Fault('input.invalid', `--api-rate ${text} is no whole number above 0`);
}

function stallSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds >= 1 && seconds <= 3600) return seconds;
  throw new Fault('input.invalid', `--stall-seconds ${text} is not between 1 and 3600`);
}

/** Runs a child with our standard streams and passes signals on; resolves with its exit code. */
function runChild(script: string, words: string[]): Promise<number> {
  const child = spawn(process.execPath, [script, ...words], { stdio: 'inherit' });
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', pass).on('SIGTERM', pass);
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code) => done(code ?? 1));
  });
}

/**
 * Waits for SIGINT or SIGTERM, then closes. Ctrl-C reaches us more than once (from the terminal and from npm), so only
 * one that comes a second later means "at once".
 */
async function untilStopped(close: () => Promise<void>, withStdin: boolean): Promise<void> {
  let first = 0;
  await new Promise<void>((done) => {
    const onSignal = () => {
      if (first === 0) first = Date.now();
      else if (Date.now() - first > 1000) process.exit(130);
      done();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    if (withStdin) process.stdin.on('end', done).on('close', done).resume();
  });
  await close();
  process.exit(0);
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = printFault(error, process.argv.includes('--json'));
}
