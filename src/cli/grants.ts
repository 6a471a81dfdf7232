import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import { type Effect, RIGHTS, type Right } from '../model/rights.ts';
import type { GrantView } from '../protocol/api/grants.ts';
import { printJson, printLine, printTable } from './output.ts';
import { connectLast } from './session.ts';

interface GrantFlags {
  at: string;
  rights: string;
  account?: string;
  everybody?: boolean;
  json?: boolean;
}

const AT_HELP = 'a cloud, or cloud/path of a folder or machine: it holds for everything in it';

export function addGrants(program: Command): void {
  const grants = program.command('grants').description('who may do what, in which cloud or folder');
  grants
    .command('list')
    .option('--account <account>', 'only what holds for this account')
    .option('--json', 'answer as JSON')
    .action(list);
  const add = (name: string, effect: Effect, description: string) =>
    grants
      .command(name)
      .description(description)
      .requiredOption('--at <cloud/path>', AT_HELP)
      .requiredOption('--rights <list>', `by comma: ${RIGHTS.join(', ')}, or all`)
      .option('--account <account>', 'whose')
      .option('--everybody', 'instead of one account')
      .option('--json', 'answer as JSON')
      .action((flags: GrantFlags) => put(effect, flags));
  add('add', 'allow', 'allow something; to allow anything allows to see it');
  add(
    'forbid',
    'forbid',
    'forbid something, whatever allows it. A folder that never leaves: --everybody --rights copy-out;\nthat binds administrators too, until one of them takes it back',
  );
  grants.command('remove <number>').description('take a grant back').action(remove);
}

async function list(flags: { account?: string; json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const query = flags.account === undefined ? {} : { account: flags.account };
  const { grants } = await connection.client.listGrants({ query });
  if (flags.json === true) return printJson({ grants });
  printTable(
    ['NUMBER', 'ACCOUNT', 'EFFECT', 'RIGHTS', 'AT', 'BY'],
    grants.map((grant) => [
      String(grant.number),
      grant.account ?? '(everybody)',
      grant.effect,
      grant.rights.join(','),
      placeOf(grant),
      grant.createdBy,
    ]),
  );
}

async function put(effect: Effect, flags: GrantFlags): Promise<void> {
  const { at, account, everybody } = flags;
  if ((account === undefined) === (everybody !== true)) {
    throw new Fault('input.invalid', 'say for whom: --account NAME, or --everybody');
  }
  const body = { account: account ?? null, at, effect, rights: readRights(flags.rights) };
  await using connection = await connectLast();
  const grant = await connection.client.addGrant({ body });
  if (flags.json === true) return printJson(grant);
  const word = effect === 'allow' ? 'may' : 'may not';
  printLine(
    `grant ${grant.number}: ${grant.account ?? 'everybody'} ${word} ${grant.rights.join(', ')} at ${placeOf(grant)}`,
  );
}

async function remove(number: string): Promise<void> {
  await using connection = await connectLast();
  await connection.client.removeGrant({ grant: number });
  printLine(`grant ${number} is taken back`);
}

function placeOf({ cloud, path, object }: GrantView): string {
  return object === undefined ? cloud : `${cloud}${path ?? `/id:${object} (not there)`}`;
}

function readRights(text: string): Right[] {
  if (text === 'all') return [...RIGHTS];
  return text.split(',').map((word) => {
    const right = RIGHTS.find((one) => one === word.trim());
    if (right !== undefined) return right;
    throw new Fault('input.invalid', `"${word}" is no right`, { remedy: `There are: ${RIGHTS.join(', ')}, all.` });
  });
}
