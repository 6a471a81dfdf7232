import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import { Fault } from '../model/fault.ts';
import { lockFolder } from './folder-lock.ts';
import { createAccounts } from './people/accounts.ts';
import { newPassword } from './people/passwords.ts';
import { type Database, openDatabase } from './store/database.ts';
import { embeddedUrl } from './store/running.ts';
import { audit } from './store/settings.ts';

export interface ResetOptions {
  /** Of the server; with an embedded database it may run meanwhile. */
  folder: string;
  databaseUrl?: string;
  account: string;
  /** One is made where there is none. */
  password?: string;
  log: Log;
}

/**
 * The way back in for whoever owns the server's machine: sets a password, enables the account, and ends its sessions and
 * its lock. Faults: `object.missing`, `input.invalid`, `server.unavailable`.
 */
export async function resetPassword(options: ResetOptions): Promise<{ account: string; password: string }> {
  await using stack = new AsyncDisposableStack();
  const database = await open(options, stack);
  const accounts = createAccounts(database);
  const { name, disabled } = await accounts.get(options.account);
  const password = options.password ?? newPassword();
  await accounts.resetPassword(name, password);
  if (disabled) await accounts.change(name, { disabled: false });
  await audit(database, '(server machine)', 'resetPassword', `account ${name}`);
  return { account: name, password };
}

async function open({ folder, databaseUrl, log }: ResetOptions, stack: AsyncDisposableStack): Promise<Database> {
  const known = databaseUrl ?? (await embeddedUrl(folder));
  if (known === undefined) {
    await readFile(join(folder, 'identity.key')).catch((error: unknown) => {
      throw new Fault('input.invalid', `${folder} is no folder of a server`, {
        cause: error,
        remedy: 'Name it with --data, as at the start of the server.',
      });
    });
    stack.defer(await lockFolder(folder));
  }
  const database = await openDatabase(folder, known, log);
  stack.defer(() => database.close());
  return database;
}
