import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import { ROLES, type Role } from '../model/rights.ts';
import { printJson, printLine, printTable } from './output.ts';
import { readSecret } from './prompt.ts';
import { connectLast } from './session.ts';

interface PasswordFlags {
  passwordFile?: string;
  json?: boolean;
}

const PASSWORD_FILE = '--password-file <file>';
const PASSWORD_HELP = 'read it from a file (- for stdin); else CLOUDSPAN_NEW_PASSWORD or a question';
const newPassword = (file: string | undefined) => readSecret('New password', file, 'CLOUDSPAN_NEW_PASSWORD');

export function addAccounts(program: Command): void {
  const accounts = program.command('accounts').description('the people who may sign in');
  accounts.command('list').option('--json', 'answer as JSON').action(list);
  accounts
    .command('create <name>')
    .description('make an account; it sees nothing until something is granted to it')
    .option('--role <role>', ROLES.join(', '), 'viewer')
    .option('--tenant <tenant>', 'make it in this tenant; its name then ends with @<tenant>')
    .option(PASSWORD_FILE, PASSWORD_HELP)
    .option('--json', 'answer as JSON')
    .action(create);
  accounts
    .command('role <account> <role>')
    .description(`give another role: ${ROLES.join(', ')}`)
    .action(changeRole);
  accounts
    .command('disable <account>')
    .description('let nobody sign in as it; its sessions and tokens end')
    .action((account: string) => setDisabled(account, true));
  accounts.command('enable <account>').action((account: string) => setDisabled(account, false));
  accounts
    .command('delete <account>')
    .description('with its sessions, grants and tokens; its jobs stay')
    .action(remove);
  accounts
    .command('password')
    .description('change my own password; all my sessions end')
    .option('--old-password-file <file>', 'the one until now (- for stdin); else CLOUDSPAN_PASSWORD or a question')
    .option(PASSWORD_FILE, PASSWORD_HELP)
    .action(changePassword);
  accounts
    .command('reset-password <account>')
    .description('set the password of somebody; their sessions end, and they are no longer locked')
    .option(PASSWORD_FILE, PASSWORD_HELP)
    .action(resetPassword);
}

async function list(flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { accounts } = await connection.client.listAccounts({});
  if (flags.json === true) return printJson({ accounts });
  const rows = accounts.map(({ name, role, tenant, disabled, signIn, lastSignIn }) => [
    name,
    role,
    disabled ? 'disabled' : signIn === 'provider' ? 'by the provider' : 'by password',
    lastSignIn ?? 'never',
    tenant ?? '',
  ]);
  printTable(['NAME', 'ROLE', 'SIGNS IN', 'LAST', 'TENANT'], rows);
}

async function create(name: string, flags: PasswordFlags & { role: string; tenant?: string }): Promise<void> {
  const { tenant } = flags;
  const role = readRole(flags.role);
  const password = await newPassword(flags.passwordFile);
  await using connection = await connectLast();
  const account = await connection.client.createAccount({
    body: { name, role, password, ...(tenant === undefined ? {} : { tenant }) },
  });
  if (flags.json === true) printJson(account);
  else printLine(`${account.name} is ${account.role}; what it may see is granted with \`cloudspan grants add\``);
}

async function changeRole(account: string, role: string): Promise<void> {
  const wanted = readRole(role);
  await using connection = await connectLast();
  const { name } = await connection.client.changeAccount({ account, body: { role: wanted } });
  printLine(`${name} is ${wanted} now, and has to sign in again`);
}

async function setDisabled(account: string, disabled: boolean): Promise<void> {
  await using connection = await connectLast();
  const { name } = await connection.client.changeAccount({ account, body: { disabled } });
  printLine(disabled ? `${name} cannot sign in any more` : `${name} can sign in again`);
}

async function remove(account: string): Promise<void> {
  await using connection = await connectLast();
  await connection.client.deleteAccount({ account });
  printLine(`${account} is deleted`);
}

async function changePassword(flags: PasswordFlags & { oldPasswordFile?: string }): Promise<void> {
  const old = await readSecret('Old password', flags.oldPasswordFile, 'CLOUDSPAN_PASSWORD');
  const next = await newPassword(flags.passwordFile);
  await using connection = await connectLast();
  await connection.client.changePassword({ body: { old, new: next } });
  printLine('the password is changed; all sessions have ended: sign in again with `cloudspan login`');
}

async function resetPassword(account: string, flags: PasswordFlags): Promise<void> {
  const password = await newPassword(flags.passwordFile);
  await using connection = await connectLast();
  await connection.client.resetPassword({ account, body: { password } });
  printLine(`${account} has a new password, and has to sign in again`);
}

function readRole(text: string): Role {
  const role = ROLES.find((one) => one === text);
  if (role !== undefined) return role;
  throw new Fault('input.invalid', `"${text}" is no role`, { remedy: `There are: ${ROLES.join(', ')}.` });
}
