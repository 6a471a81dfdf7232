import type { Handlers } from '../api.ts';
import { learnAddresses } from '../membership.ts';

/** The list is followed as soon as it is written down (`link/links.ts`). */
export function serversRoute(folder: string): Pick<Handlers, 'setServers'> {
  return {
    async setServers({ server, body }) {
      await learnAddresses(folder, server, body.addresses);
      return {};
    },
  };
}
