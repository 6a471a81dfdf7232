import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

const USER = 'cloudspan';

/** How the embedded database of a server is reached while that server runs; undefined where it does not run. */
export async function embeddedUrl(folder: string): Promise<string | undefined> {
  const data = join(folder, 'postgres');
  const [password, pid] = await Promise.all(
    [join(folder, 'postgres.password'), join(data, 'postmaster.pid')].map((path) =>
      readFile(path, 'utf8').catch(() => ''),
    ),
  );
  // Line 5 is the folder of the socket; where it leads through an open descriptor of the database, that is its own folder.
  const said = pid?.split('\n')[4] ?? '';
  const sockets = said === '' || said.startsWith('/proc/') ? data : said;
  const query = new URLSearchParams({ host: sockets, port: '5432' });
  const url = `postgresql://${USER}:${encodeURIComponent(password?.trim() ?? '')}@/postgres?${query}`;
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  try {
    await client.connect();
    return url;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}
