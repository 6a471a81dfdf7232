import type { Command } from 'commander';
import { plainHex } from '../base/tls.ts';
import { Fault } from '../model/fault.ts';
import type { ChannelTarget } from '../protocol/api/alarms.ts';
import { readNamedFile } from './files.ts';
import { printJson, printLine, printTable } from './output.ts';
import { readSecret } from './prompt.ts';
import { connectLast } from './session.ts';

interface AddFlags {
  events: string;
  fingerprint?: string;
  ca?: string;
  json?: boolean;
}
interface WebhookFlags extends AddFlags {
  secretFile?: string;
}
interface EmailFlags extends AddFlags {
  server: string;
  from: string;
  security: string;
  user?: string;
  passwordFile?: string;
}
interface SyslogFlags extends AddFlags {
  transport: string;
}

const adding = (command: Command) =>
  command
    .option('--events <list>', 'alarms, jobs or both, by comma', 'alarms')
    .option('--fingerprint <sha256>', 'the confirmed certificate of the other side')
    .option('--ca <file>', 'its certificate authority (default: those of the server’s machine)')
    .option('--json', 'answer as JSON');

export function addChannels(program: Command): void {
  const channels = program.command('channels').description('who is told of alarms and jobs');
  channels.command('list').option('--json', 'answer as JSON').action(list);
  adding(channels.command('webhook <name> <url>').description('tell an https address; every message is signed'))
    .option('--secret-file <file>', 'the secret of the signatures (default: a new one, shown once)')
    .action(webhook);
  adding(channels.command('email <name> <to...>').description('tell e-mail addresses'))
    .requiredOption('--server <host:port>', 'the mail server')
    .requiredOption('--from <address>', 'the sender')
    .option('--security <kind>', 'tls or starttls', 'tls')
    .option('--user <name>', 'account at the mail server; its password: --password-file or CLOUDSPAN_MAIL_PASSWORD')
    .option('--password-file <file>', 'file with the password (- for stdin)')
    .action(email);
  adding(channels.command('syslog <name> <host:port>').description('tell a syslog server (RFC 5424)'))
    .option('--transport <kind>', 'tls, tcp or udp', 'tls')
    .action(syslog);
  channels.command('test <name>').description('send a test message now').action(test);
  channels.command('remove <name>').description('tell it nothing any more').action(remove);
}

async function list(flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { channels } = await connection.client.listChannels({});
  if (flags.json === true) return printJson({ channels });
  printTable(
    ['NAME', 'KIND', 'EVENTS', 'WAITING', 'TROUBLE'],
    channels.map((one) => [one.name, one.target.kind, one.events.join(','), String(one.waiting), one.trouble ?? '']),
  );
}

async function webhook(name: string, url: string, flags: WebhookFlags): Promise<void> {
  const secret = flags.secretFile === undefined ? undefined : readNamedFile(flags.secretFile, '--secret-file').trim();
  await add(name, { kind: 'webhook', url, ...trustOf(flags) }, secret, flags);
}

async function email(name: string, to: string[], flags: EmailFlags): Promise<void> {
  const security = oneOf(flags.security, ['tls', 'starttls'] as const, '--security');
  const { user } = flags;
  const secret =
    user === undefined ? undefined : await readSecret('Password', flags.passwordFile, 'CLOUDSPAN_MAIL_PASSWORD');
  const account = user === undefined ? {} : { user };
  const place = placeOf(flags.server);
  await add(
    name,
    { kind: 'email', ...place, security, from: flags.from, to, ...account, ...trustOf(flags) },
    secret,
    flags,
  );
}

async function syslog(name: string, place: string, flags: SyslogFlags): Promise<void> {
  const transport = oneOf(flags.transport, ['tls', 'tcp', 'udp'] as const, '--transport');
  await add(name, { kind: 'syslog', ...placeOf(place), transport, ...trustOf(flags) }, undefined, flags);
}

async function add(name: string, target: ChannelTarget, secret: string | undefined, flags: AddFlags): Promise<void> {
  const events = flags.events.split(',').map((one) => oneOf(one.trim(), ['alarms', 'jobs'] as const, '--events'));
  await using connection = await connectLast();
  const body = { name, target, events, ...(secret === undefined ? {} : { secret }) };
  const channel = await connection.client.addChannel({ body });
  if (flags.json === true) return printJson(channel);
  printLine(`channel ${channel.name} is told of ${channel.events.join(' and ')}`);
  if (channel.secret !== undefined) printLine(`secret of its signatures, shown only this once: ${channel.secret}`);
}

async function test(name: string): Promise<void> {
  await using connection = await connectLast();
  await connection.client.testChannel({ channel: name });
  printLine(`channel ${name} has taken the test message`);
}

async function remove(name: string): Promise<void> {
  await using connection = await connectLast();
  await connection.client.removeChannel({ channel: name });
  printLine(`channel ${name} is told nothing any more`);
}

function trustOf({ fingerprint, ca }: AddFlags): Pick<ChannelTarget, 'trust'> {
  if (fingerprint !== undefined) return { trust: { kind: 'pin', sha256: plainHex(fingerprint) } };
  return ca === undefined ? {} : { trust: { kind: 'ca', pem: readNamedFile(ca, '--ca') } };
}

function placeOf(text: string): { host: string; port: number } {
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(text) ?? [];
  if (host !== undefined) return { host, port: Number(port) };
  throw new Fault('input.invalid', `"${text}" is no address`, { remedy: 'Write host:port.' });
}

function oneOf<T extends string>(text: string, known: readonly T[], flag: string): T {
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  throw new Fault('input.invalid', `${flag} ${text} is not known`, { remedy: `There are: ${known.join(', ')}.` });
}
