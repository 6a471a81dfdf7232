/**
 * A backup: one line of JSON in clear (`BackupHeader`), then the sealed stream (`sealed-stream.ts`, bound to that line) of
 * gzipped lines. The first word of a line says what it is:
 *
 *     F {"name","content","mode"}    a file of the data folder, base64
 *     T schema.table                 the rows that follow are of this table
 *     R {…}                          one row, as PostgreSQL's to_jsonb writes it
 *     E {"rows"}                     the end
 */
import { z } from 'zod';

export const BACKUP_FORMAT = 'cloudspan-backup';
export const HEADER_BYTES = 64 * 1024;
/** The row id under which the vault seals a backup's key. */
export const KEY_ID = 'backup';

export const BackupHeaderSchema = z.object({
  format: z.literal(BACKUP_FORMAT),
  version: z.literal(1),
  /** Of Cloudspan. */
  product: z.string(),
  /** Number of the last migration that the database had. */
  schema: z.number().int(),
  /** ISO 8601. */
  at: z.string(),
  /** Id of the installation. */
  installation: z.string(),
  /** Id of the key in `vault.key` that opens it. */
  vaultKey: z.string().optional(),
  /** The key of what follows, sealed by the vault of the server, base64. */
  sealedKey: z.string(),
});
export type BackupHeader = z.infer<typeof BackupHeaderSchema>;

export const BackupFileSchema = z.object({
  name: z.string().regex(/^[\w.-]{1,128}$/),
  content: z.string(),
  mode: z.number().int(),
});
export type BackupFile = z.infer<typeof BackupFileSchema>;

/**
 * Files of the data folder that stay out of a backup: the vault's key, without which a backup opens nothing, the
 * database itself, and what belongs to a running process.
 */
export function staysOut(name: string): boolean {
  return /^(vault|postgres)|\.(pid|part)$/.test(name);
}
