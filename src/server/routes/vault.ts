import type { Vault } from '../vault.ts';
import type { Handlers } from './bind.ts';

export function vaultRoutes(vault: Vault): Pick<Handlers, 'rotateVaultKey'> {
  return { rotateVaultKey: () => vault.rotate() };
}
