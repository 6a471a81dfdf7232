import { type BackupSource, writeBackup } from '../backup/backup.ts';
import { compareLedger } from '../backup/compare.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { audit } from '../store/settings.ts';
import { type BundleSource, writeBundle } from '../support/bundle.ts';
import { VERSION } from '../version.ts';
import type { Handlers } from './bind.ts';

type Names = 'listServers' | 'getServer' | 'releaseHold' | 'backup' | 'supportBundle';

export function serverRoutes(source: BackupSource & BundleSource & { fleet: Fleet }): Pick<Handlers, Names> {
  const { database, clouds, hold, fleet } = source;
  return {
    async listServers() {
      const servers = await fleet.list();
      return {
        servers: servers.map(({ id, host, address, version, alive, steward, jobs, started_at, seen_at }) => ({
          id,
          host,
          address,
          version,
          startedAt: started_at.toISOString(),
          seenAt: seen_at.toISOString(),
          alive,
          steward: alive && steward,
          jobs,
          this: id === fleet.id,
        })),
      };
    },
    async getServer() {
      return { version: VERSION, ...(hold.note === null ? {} : { onHold: hold.note }) };
    },
    async releaseHold({ body, signal }) {
      if (hold.note === null) return { compared: 0, gone: [], notCompared: [] };
      const answer = await compareLedger({ database, clouds }, body.patienceSeconds, signal);
      await hold.release();
      return answer;
    },
    async supportBundle({ query, user, signal }) {
      await audit(database, user, 'support bundle', `${query.days} days`);
      return writeBundle(source, query.days, signal);
    },
    async backup({ user, signal }) {
      await audit(database, user, 'backup', '');
      return writeBackup(source, signal);
    },
  };
}
