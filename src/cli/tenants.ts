import type { Command } from 'commander';
import { printJson, printLine, printTable } from './output.ts';
import { connectLast } from './session.ts';

export function addTenants(program: Command): void {
  const tenants = program
    .command('tenants')
    .description('groups of accounts with nodes and clouds of their own; for administrators of the installation');
  tenants.command('list').option('--json', 'answer as JSON').action(list);
  tenants
    .command('create <name>')
    .description('its first administrator: cloudspan accounts create NAME --role administrator --tenant <name>')
    .option('--json', 'answer as JSON')
    .action(create);
  tenants.command('delete <tenant>').description('one in which nothing is left').action(remove);
}

async function list(flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { tenants } = await connection.client.listTenants({});
  if (flags.json === true) return printJson({ tenants });
  printTable(
    ['NAME', 'ACCOUNTS', 'NODES', 'CLOUDS', 'ID'],
    tenants.map(({ name, accounts, nodes, clouds, id }) => [name, ...[accounts, nodes, clouds].map(String), id]),
  );
}

async function create(name: string, flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const tenant = await connection.client.createTenant({ body: { name } });
  if (flags.json === true) return printJson(tenant);
  printLine(`the tenant ${tenant.name} is there; it needs an administrator:`);
  printLine(`  cloudspan accounts create NAME --role administrator --tenant ${tenant.name}`);
}

async function remove(tenant: string): Promise<void> {
  await using connection = await connectLast();
  await connection.client.deleteTenant({ tenant });
  printLine(`the tenant ${tenant} is deleted`);
}
