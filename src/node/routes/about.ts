import type { NodeAbout, NodeReach } from '../../protocol/link.ts';
import { PROTOCOL } from '../../protocol/version.ts';
import type { Handlers } from '../api.ts';
import type { DriverList } from '../drivers.ts';

export function aboutRoute(options: {
  name: string;
  version: string;
  drivers: DriverList;
  storage: () => NodeAbout['storage'];
  /** As the server shall know it. */
  reach: (server: string) => NodeReach;
}): Pick<Handlers, 'about'> {
  const drivers = options.drivers.map(({ name, title, options: settings }) => ({
    name,
    title,
    options: [...settings],
  }));
  return {
    about: async ({ server }) => ({
      name: options.name,
      version: options.version,
      protocol: PROTOCOL.highest,
      time: new Date().toISOString(),
      drivers,
      storage: options.storage(),
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      reach: options.reach(server),
    }),
  };
}
