import type { Alarms } from '../alarms/alarms.ts';
import type { Channels } from '../alarms/channels.ts';
import type { Handlers } from './bind.ts';

type AlarmNames = 'listAlarms' | 'acknowledgeAlarm' | 'getAlarmRules' | 'setAlarmRules';
type Names = AlarmNames | 'listChannels' | 'addChannel' | 'testChannel' | 'removeChannel';

export function alarmRoutes(alarms: Alarms, channels: Channels): Pick<Handlers, Names> {
  return {
    listAlarms: async () => ({ alarms: await alarms.list() }),
    acknowledgeAlarm: async ({ body, user }) => alarms.acknowledge(body.key, user),
    getAlarmRules: () => alarms.rules(),
    setAlarmRules: async ({ body }) => alarms.setRules(body),
    listChannels: async () => ({ channels: await channels.list() }),
    addChannel: async ({ body }) => channels.add(body),
    async testChannel({ parameters, user, signal }) {
      await channels.test(parameters.channel, user, signal);
      return {};
    },
    async removeChannel({ parameters }) {
      await channels.remove(parameters.channel);
      return {};
    },
  };
}
