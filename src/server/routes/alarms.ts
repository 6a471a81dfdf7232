import type { Alarms } from '../alarms/alarms.ts';
import type { Channels } from '../alarms/channels.ts';
import type { Database } from '../store/database.ts';
import { audit } from '../store/settings.ts';
import type { Handlers } from './bind.ts';

type AlarmNames = 'listAlarms' | 'acknowledgeAlarm' | 'getAlarmRules' | 'setAlarmRules';
type Names = AlarmNames | 'listChannels' | 'addChannel' | 'testChannel' | 'removeChannel';

export function alarmRoutes(alarms: Alarms, channels: Channels, database: Database): Pick<Handlers, Names> {
  return {
    listAlarms: async () => ({ alarms: await alarms.list() }),
    async acknowledgeAlarm({ body, user }) {
      const alarm = await alarms.acknowledge(body.key, user);
      await audit(database, user, 'acknowledge alarm', body.key);
      return alarm;
    },
    getAlarmRules: () => alarms.rules(),
    async setAlarmRules({ body, user }) {
      await audit(database, user, 'set alarm rules', JSON.stringify(body));
      return alarms.setRules(body);
    },
    listChannels: async () => ({ channels: await channels.list() }),
    async addChannel({ body, user }) {
      const channel = await channels.add(body);
      await audit(database, user, 'add channel', channel.name);
      return channel;
    },
    async testChannel({ parameters, user, signal }) {
      await audit(database, user, 'test channel', await channels.test(parameters.channel, user, signal));
      return {};
    },
    async removeChannel({ parameters, user }) {
      await audit(database, user, 'remove channel', await channels.remove(parameters.channel));
      return {};
    },
  };
}
