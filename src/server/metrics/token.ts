import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../base/files.ts';

/** Who may read the metrics: whoever brings what is in `folder/metrics.token` (0600). */
export interface MetricsToken {
  /** Reads the file each time, so that another token in it holds at once. */
  fits(authorization: string | undefined): Promise<boolean>;
}

export async function openMetricsToken(folder: string): Promise<MetricsToken> {
  const path = join(folder, 'metrics.token');
  const read = async () => (await readFile(path, 'utf8')).trim();
  try {
    await read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await writeDurably(path, `${randomBytes(32).toString('base64url')}\n`);
  }
  return {
    async fits(authorization) {
      const given = Buffer.from(/^Bearer (\S+)$/.exec(authorization ?? '')?.[1] ?? '');
      const token = Buffer.from(await read().catch(() => ''));
      return token.length > 0 && given.length === token.length && timingSafeEqual(given, token);
    },
  };
}
