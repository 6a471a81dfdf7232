/** The key under which the server keeps its secrets. */
import { z } from 'zod';
import type { ApiOperation } from './operation.ts';

export const VaultRotationSchema = z.object({
  /** Number of the data key that seals from now on. */
  generation: z.number(),
  /** Secrets that were sealed anew. */
  secrets: z.number(),
  /** Secrets that the old key did not open, left as they are. */
  left: z.number(),
  /** Id of the new key; backups name it. */
  key: z.string(),
  oldKey: z.string(),
  /** Name of the machine of the server that rotated it: the new `vault.key` is in its folder only. */
  host: z.string(),
  /** File there that holds the old one. */
  oldKeyFile: z.string(),
});

export const vaultOperations = {
  rotateVaultKey: {
    method: 'POST',
    path: '/server/vault-key/rotate',
    summary: 'A new key of the vault, under which every secret is sealed anew; the key itself is not shown',
    answer: VaultRotationSchema,
    needs: 'administrator',
  },
} as const satisfies Record<string, ApiOperation>;
