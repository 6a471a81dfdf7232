import type { Retention } from '../retention/retention.ts';
import type { Database } from '../store/database.ts';
import { audit } from '../store/settings.ts';
import type { Handlers } from './bind.ts';

type Names = 'getRetention' | 'setRetention' | 'sweep';

export function retentionRoutes(retention: Retention, database: Database): Pick<Handlers, Names> {
  return {
    getRetention: () => retention.get(),
    async setRetention({ body, user }) {
      await audit(database, user, 'set retention', JSON.stringify(body));
      return retention.set(body);
    },
    async sweep({ body, user, signal }) {
      const answer = await retention.sweep(body.dryRun, signal);
      if (!body.dryRun) await audit(database, user, 'sweep', `logs: ${answer.logs}; jobs: ${answer.jobs}`);
      return answer;
    },
  };
}
