import type { Keyring } from '../store/sealing.ts';
import type { Journal } from './journal.ts';

/**
 * A journal whose hashes of blocks are encrypted on the disk where the keyring says so: they would tell what content an
 * owner has. `entry` and `load` then fail with `storage.locked` without the key.
 */
export function sealedJournal(journal: Journal, keyring: Keyring): Journal {
  if (!keyring.encrypted) return journal;
  return {
    ...journal,
    async entry(owner, transfer, disk, index, hash) {
      const wrapped = hash === null ? null : keyring.sealing(owner).wrapHashes(hash);
      return journal.entry(owner, transfer, disk, index, wrapped);
    },
    async load(owner, transfer) {
      const sealing = keyring.sealing(owner);
      const state = await journal.load(owner, transfer);
      if (state === null) return null;
      const disks = state.disks.map((disk) => ({ ...disk, hashes: sealing.unwrapHashes(disk.hashes) }));
      return { ...state, disks };
    },
  };
}
