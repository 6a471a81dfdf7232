import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { parseAddress, writeAddress } from '../base/address.ts';
import { createLog } from '../base/log.ts';
import { STALL_SECONDS } from '../base/silence.ts';
import { plainHex } from '../base/tls.ts';
import { readNamedFile } from '../cli/files.ts';
import { printJson, printLine } from '../cli/output.ts';
import { addProxyFlags, type ProxyFlags } from '../cli/proxy-flags.ts';
import { Fault } from '../model/fault.ts';
import { STALL_HELP, stallSeconds } from './stall-seconds.ts';
import { untilStopped } from './until-stopped.ts';

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

/** `cloudspan node` and `cloudspan node join`. */
export function addNodeCommands(program: Command): void {
  const node = nodeOptions(
    program.command('node').description('run a node that has joined a server').enablePositionalOptions(),
  ).action((flags: NodeFlags) => runNode(flags));

  nodeOptions(node.command('join <server>'))
    .description('join a server with a token of `cloudspan nodes token`, then run')
    .option('--token <token>', 'the token (or CLOUDSPAN_JOIN_TOKEN, or --token-file)')
    .option('--token-file <file>', 'file that holds the token')
    .option(
      '--link <direction>',
      'who dials: dial-home (this node) or direct (the server; needs --listen)',
      'dial-home',
    )
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
}

interface Joining {
  server: string;
  token: string;
  link: 'dial-home' | 'direct';
  public: boolean;
}

async function runNode(flags: NodeFlags, joining?: Joining, run = true): Promise<void> {
  const { startNode } = await import('../node/agent.ts');
  const { joinServer } = await import('../node/join.ts');
  const { readProxies } = await import('../node/proxies.ts');
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
