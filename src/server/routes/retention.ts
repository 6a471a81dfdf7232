import type { Retention } from '../retention/retention.ts';
import type { Handlers } from './bind.ts';

type Names = 'getRetention' | 'setRetention' | 'sweep';

export function retentionRoutes(retention: Retention): Pick<Handlers, Names> {
  return {
    getRetention: () => retention.get(),
    setRetention: async ({ body }) => retention.set(body),
    sweep: async ({ body, signal }) => retention.sweep(body.dryRun, signal),
  };
}
