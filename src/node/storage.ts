import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import { type Journal, openJournal } from '../transfer/receiver/journal.ts';
import { sealedJournal } from '../transfer/receiver/sealed-journal.ts';
import type { StoreUsage } from '../transfer/store/room.ts';
import { Keyring } from '../transfer/store/sealing.ts';
import { type BlockStore, openStore } from '../transfer/store/store.ts';
import { openVersions, type Versions } from '../transfer/store/versions.ts';

/** What a node keeps of transfers on its disk, and the keys to it. */
export interface Storage extends AsyncDisposable {
  readonly keyring: Keyring;
  readonly store: BlockStore;
  readonly versions: Versions;
  readonly transfers: Journal;
  usage(): StoreUsage & { encrypted: boolean };
}

export async function openStorage(
  folder: string,
  { limitBytes, encrypted, log }: { limitBytes: number; encrypted: boolean; log: Log },
): Promise<Storage> {
  await using opened = new AsyncDisposableStack();
  const keyring = new Keyring(encrypted);
  const transfers = sealedJournal(openJournal(join(folder, 'transfers.sqlite')), keyring);
  opened.defer(() => transfers.close());
  const store = await openStore(join(folder, 'blocks'), { limitBytes, log, keyring });
  opened.defer(() => store.close());
  const versions = await openVersions(join(folder, 'versions'), { log, keyring });
  const resources = opened.move();
  return {
    keyring,
    store,
    versions,
    transfers,
    usage: () => ({ ...store.usage(), encrypted }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
