import { type BackupSource, writeBackup } from '../backup/backup.ts';
import { compareLedger } from '../backup/compare.ts';
import type { Clouds } from '../clouds.ts';
import type { Hold } from '../hold.ts';
import { audit } from '../store/settings.ts';
import { VERSION } from '../version.ts';
import type { Handlers } from './bind.ts';

type Names = 'getServer' | 'releaseHold' | 'backup';

export function serverRoutes(source: BackupSource, clouds: Clouds, hold: Hold): Pick<Handlers, Names> {
  const { database } = source;
  return {
    async getServer() {
      return { version: VERSION, ...(hold.note === null ? {} : { onHold: hold.note }) };
    },
    async releaseHold({ body, user, signal }) {
      if (hold.note === null) return { compared: 0, gone: [], notCompared: [] };
      const answer = await compareLedger({ database, clouds }, body.patienceSeconds, signal);
      await audit(database, user, 'release hold', `compared: ${answer.compared}, gone: ${answer.gone.length}`);
      await hold.release();
      return answer;
    },
    async backup({ user, signal }) {
      await audit(database, user, 'backup', '');
      return writeBackup(source, signal);
    },
  };
}
