import type { Handlers } from '../api.ts';
import type { Limits } from '../limits.ts';

export function limitsRoute(limits: Limits): Pick<Handlers, 'setLimits'> {
  return {
    async setLimits({ server, body }) {
      await limits.set(server, body);
      return {};
    },
  };
}
