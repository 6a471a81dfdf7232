import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { Vault } from '../vault.ts';

/** A look whether the key was rotated at another server; that its file is not here yet is said once, and ends nothing. */
export function lookAtVault(vault: Pick<Vault, 'refresh'>, log: Log): () => Promise<void> {
  let said = false;
  return async () => {
    try {
      await vault.refresh();
      said = false;
    } catch (error) {
      // That the database is away is said where it is noticed.
      if (said || !(error instanceof Fault)) return;
      said = true;
      log.warn({ fault: error.report() }, 'the key of the vault was rotated at another server');
    }
  };
}
