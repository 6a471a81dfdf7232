import type { Log } from '../base/log.ts';
import { Fault } from '../model/fault.ts';
import { lockFolder } from './folder-lock.ts';
import { openDatabase } from './store/database.ts';
import { audit } from './store/settings.ts';
import { keyFile, readKeyFile } from './vault/key-file.ts';
import { openVault, type Rotation } from './vault.ts';

/** Rotates the vault's key of a server that does not run. Faults: `server.unavailable` (it runs), `input.invalid`, `vault.locked`. */
export async function rotateVaultKey(options: { folder: string; databaseUrl?: string; log: Log }): Promise<Rotation> {
  const { folder, databaseUrl, log } = options;
  if ((await readKeyFile(keyFile(folder))) === null) {
    throw new Fault('input.invalid', `${folder} is no folder of a server: there is no vault.key in it`, {
      remedy: 'Name it with --data, as at the start of the server.',
    });
  }
  await using stack = new AsyncDisposableStack();
  stack.defer(await lockFolder(folder));
  const database = await openDatabase(folder, databaseUrl, log);
  stack.defer(() => database.close());
  const rotation = await (await openVault(folder, database)).rotate();
  await audit(database, '(server machine)', 'rotateVaultKey', rotation.key);
  return rotation;
}
