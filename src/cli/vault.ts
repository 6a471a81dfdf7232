import type { Command } from 'commander';
import { printJson, printLine } from './output.ts';
import { connectLast } from './session.ts';

export interface RotationSaid {
  generation: number;
  secrets: number;
  left: number;
  key: string;
  oldKey: string;
  host: string;
  oldKeyFile: string;
}

/** `cloudspan server rotate-vault-key`; `offline` does it in the folder of a server that does not run. */
export function addVault(server: Command, offline: (folder: string) => Promise<RotationSaid>): void {
  server
    .command('rotate-vault-key')
    .description('make a new key for the vault and seal every secret under it; a running server goes on meanwhile')
    .option('--data <folder>', 'folder of a server that does not run (with DATABASE_URL its database is used)')
    .option('--json', 'answer as JSON')
    .action(async (flags: { data?: string; json?: boolean }) => {
      const said = flags.data === undefined ? await rotate() : await offline(flags.data);
      if (flags.json === true) return printJson(said);
      printLine(`the vault has a new key, ${said.key}; ${said.secrets} secrets are sealed under it`);
      if (said.left > 0) printLine(`${said.left} secrets did not open with the old key, and were left as they were`);
      printLine(
        `backups made before need the old key, ${said.oldKey}. It lies on the machine ${said.host}, move it to them:`,
      );
      printLine(`  ${said.oldKeyFile}`);
      printLine('Keep a copy of the new vault.key beside it away from the server as well.');
      printLine('Where several servers share the database, bring that vault.key into the folder of each other one.');
    });
}

async function rotate(): Promise<RotationSaid> {
  await using connection = await connectLast();
  return await connection.client.rotateVaultKey({});
}
