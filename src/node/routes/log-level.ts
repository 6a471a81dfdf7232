import { dialOf, type Log } from '../../base/log.ts';
import type { Handlers } from '../api.ts';

/** The log is of the whole process: on a shared node whoever asked last is heard. */
export function logLevelRoutes(log: Log): Pick<Handlers, 'getLogLevel' | 'setLogLevel'> {
  return {
    getLogLevel: async () => dialOf(log).state(),
    async setLogLevel({ server, body }) {
      const state = dialOf(log).set(body.level, body.seconds);
      log.warn({ server, ...state }, 'a server changed the log level');
      return state;
    },
  };
}
