import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import { ROLES, type Role } from '../model/rights.ts';
import { readNamedFile } from './files.ts';
import { printJson, printLine } from './output.ts';
import { readSecret } from './prompt.ts';
import { connectLast } from './session.ts';

interface SetFlags {
  issuer: string;
  clientId: string;
  secretFile?: string;
  publicClient?: boolean;
  label: string;
  scope?: string;
  nameClaim?: string;
  rolesClaim?: string;
  role: string[];
  defaultRole?: string;
  ca?: string;
  json?: boolean;
}

export function addProvider(program: Command): void {
  const provider = program.command('provider').description('the OpenID provider at which people may sign in');
  provider
    .command('set')
    .description(
      'let people sign in there (authorization code with PKCE). Its redirect address for this client:\nhttps://<this server>/sign-in/provider/callback',
    )
    .requiredOption('--issuer <url>', 'https address of the provider')
    .requiredOption('--client-id <id>', 'as it is entered there')
    .option('--secret-file <file>', 'secret of the client (- for stdin); else CLOUDSPAN_CLIENT_SECRET or a question')
    .option('--public-client', 'it has no secret')
    .option('--label <text>', 'what the button says', 'Sign in with OpenID')
    .option('--scope <list>', 'default: openid profile email')
    .option('--name-claim <claim>', 'gives the name of a new account (default: preferred_username)')
    .option('--roles-claim <claim>', 'gives the role, at every sign-in')
    .option(
      '--role <value=role>',
      'a value of that claim and its role; may be repeated',
      (one: string, all: string[]) => [...all, one],
      [],
    )
    .option('--default-role <role>', 'for those whom no value gives one (default: they are not let in)')
    .option('--ca <file>', 'PEM of the CA of its certificate')
    .option('--json', 'answer as JSON')
    .action(set);
  provider.command('show').option('--json', 'answer as JSON').action(show);
  provider.command('remove').description('nobody signs in there any more; the accounts stay').action(remove);
}

async function set(flags: SetFlags): Promise<void> {
  const { label, issuer, clientId, scope, nameClaim, rolesClaim, defaultRole, ca } = flags;
  const roles = Object.fromEntries(flags.role.map(readMapping));
  const secret =
    flags.publicClient === true ? undefined : await readSecret('Secret', flags.secretFile, 'CLOUDSPAN_CLIENT_SECRET');
  const body = {
    ...{ label, issuer, clientId, roles },
    ...(secret === undefined ? {} : { clientSecret: secret.trim() }),
    ...(scope === undefined ? {} : { scope }),
    ...(nameClaim === undefined ? {} : { nameClaim }),
    ...(rolesClaim === undefined ? {} : { rolesClaim }),
    ...(defaultRole === undefined ? {} : { defaultRole: readRole(defaultRole) }),
    ...(ca === undefined ? {} : { ca: readNamedFile(ca, '--ca') }),
  };
  await using connection = await connectLast();
  const provider = await connection.client.setProvider({ body });
  if (flags.json === true) printJson(provider);
  else printLine(`people may sign in at ${provider.issuer}`);
}

async function show(flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { provider } = await connection.client.getProvider({});
  if (flags.json === true) return printJson({ provider });
  if (provider === null) return printLine('there is none');
  const { ca: _, roles, ...rest } = provider;
  for (const [name, value] of Object.entries(rest)) printLine(`${name.padEnd(12)} ${value ?? 'none'}`);
  for (const [value, role] of Object.entries(roles)) printLine(`${'role'.padEnd(12)} ${value} = ${role}`);
}

async function remove(): Promise<void> {
  await using connection = await connectLast();
  await connection.client.removeProvider({});
  printLine('nobody signs in there any more');
}

function readMapping(text: string): [string, Role] {
  const at = text.lastIndexOf('=');
  if (at < 1) throw new Fault('input.invalid', `--role ${text} has not the form value=role`);
  return [text.slice(0, at), readRole(text.slice(at + 1))];
}

function readRole(text: string): Role {
  const role = ROLES.find((one) => one === text);
  if (role !== undefined) return role;
  throw new Fault('input.invalid', `"${text}" is no role`, { remedy: `There are: ${ROLES.join(', ')}.` });
}
