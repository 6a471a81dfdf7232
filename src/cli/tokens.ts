import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import { SCOPES } from '../model/rights.ts';
import { printJson, printLine, printTable } from './output.ts';
import { connectLast } from './session.ts';

interface CreateFlags {
  scope: string;
  days: string;
  cloud: string[];
  json?: boolean;
}

export function addTokens(program: Command): void {
  const tokens = program.command('tokens').description('API tokens, for programs that act as you');
  tokens
    .command('create <name>')
    .description('make a token; it is shown only now, on stdout')
    .option(
      '--scope <scope>',
      'read (see), operate (also use the rights that you have), own (everything that you may)',
      'read',
    )
    .option('--days <number>', 'until it expires, at most 366', '90')
    .option(
      '--cloud <cloud>',
      'only this cloud; may be repeated',
      (cloud: string, all: string[]) => [...all, cloud],
      [],
    )
    .option('--json', 'answer as JSON')
    .action(create);
  tokens.command('list').option('--json', 'answer as JSON').action(list);
  tokens.command('revoke <token>').description('end a token, by id or name').action(revoke);
}

async function create(name: string, flags: CreateFlags): Promise<void> {
  const scope = SCOPES.find((one) => one === flags.scope);
  if (scope === undefined) {
    throw new Fault('input.invalid', `"${flags.scope}" is no scope`, { remedy: `There are: ${SCOPES.join(', ')}.` });
  }
  const expiresInDays = Number(flags.days);
  if (!(expiresInDays > 0 && expiresInDays <= 366)) {
    throw new Fault('input.invalid', `--days ${flags.days} is not a number above 0 and up to 366`);
  }
  const clouds = flags.cloud.length === 0 ? {} : { clouds: flags.cloud };
  await using connection = await connectLast();
  const made = await connection.client.createToken({ body: { name, scope, expiresInDays, ...clouds } });
  if (flags.json === true) return printJson(made);
  process.stderr.write(`token "${made.name}" (${made.scope}) until ${made.expires}; it is not shown again:\n`);
  printLine(made.token);
}

async function list(flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { tokens } = await connection.client.listTokens({});
  if (flags.json === true) return printJson({ tokens });
  printTable(
    ['ID', 'NAME', 'ACCOUNT', 'SCOPE', 'CLOUDS', 'EXPIRES', 'LAST USED'],
    tokens.map(({ id, name, account, scope, clouds, expires, lastUsedAt, lastAddress }) => [
      id,
      name,
      account,
      scope,
      clouds?.join(',') ?? '(all)',
      expires,
      lastUsedAt === undefined ? 'never' : `${lastUsedAt} from ${lastAddress ?? '?'}`,
    ]),
  );
}

async function revoke(named: string): Promise<void> {
  await using connection = await connectLast();
  const { client } = connection;
  const { tokens } = await client.listTokens({});
  const fits = tokens.filter(({ id, name }) => id === named || name === named);
  if (fits.length > 1) {
    throw new Fault('object.ambiguous', `"${named}" names ${fits.length} tokens`, {
      details: { ids: fits.map(({ id, account }) => `${id} (${account})`) },
    });
  }
  await client.revokeToken({ token: fits[0]?.id ?? named });
  printLine(`token ${fits[0]?.name ?? named} is revoked`);
}
