import { type BackupSource, writeBackup } from '../backup/backup.ts';
import { compareLedger } from '../backup/compare.ts';
import { audit } from '../store/settings.ts';
import { type BundleSource, writeBundle } from '../support/bundle.ts';
import { VERSION } from '../version.ts';
import type { Handlers } from './bind.ts';

type Names = 'getServer' | 'releaseHold' | 'backup' | 'supportBundle';

export function serverRoutes(source: BackupSource & BundleSource): Pick<Handlers, Names> {
  const { database, clouds, hold } = source;
  return {
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
