import { delay } from '../../base/backoff.ts';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { type AlarmRules, AlarmRulesSchema, type AlarmView } from '../../protocol/api/alarms.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { acknowledge, deleteAlarm, insertAlarm, readAlarms } from '../store/alarms.ts';
import { readSetting, writeSetting } from '../store/settings.ts';
import type { Channels } from './channels.ts';
import { lookAround, type Seen, type Watched } from './look.ts';
import { alarmMessage } from './message.ts';

const USUAL: AlarmRules = {
  nodeAwaySeconds: 60,
  cloudFailedSeconds: 60,
  jobWaitingSeconds: 900,
  storagePercent: 90,
  expiryDays: 30,
};
const SETTING = 'alarm-rules';
const EVERY_MILLISECONDS = 2_000;

export interface Alarms {
  list(): Promise<AlarmView[]>;
  /** Fault `object.missing`. */
  acknowledge(key: string, account: string): Promise<AlarmView>;
  rules(): Promise<AlarmRules>;
  setRules(change: { [Rule in keyof AlarmRules]?: AlarmRules[Rule] | undefined }): Promise<AlarmRules>;
}

/** Looks around every few seconds until `closing`, and tells the channels what begins and what is over. */
export function keepAlarms(
  options: Watched & { channels: Channels; fleet: Pick<Fleet, 'steward'>; closing: AbortSignal; log: Log },
): Alarms {
  const { database, channels, fleet, closing, log } = options;
  /** When each was seen first, in a row. */
  const firstSeen = new Map<string, number>();
  /** While the database is away nothing can be stored: this stands for all. */
  let databaseAlarm: AlarmView | null = null;

  const rules = async (): Promise<AlarmRules> => ({
    ...USUAL,
    ...AlarmRulesSchema.partial().parse((await readSetting(database, SETTING)) ?? {}),
  });

  const lasting = (seen: Seen[]): AlarmView[] => {
    const keys = new Set(seen.map(({ key }) => key));
    for (const key of firstSeen.keys()) if (!keys.has(key)) firstSeen.delete(key);
    return seen.flatMap(({ afterSeconds, ...alarm }) => {
      const since = firstSeen.get(alarm.key) ?? Date.now();
      firstSeen.set(alarm.key, since);
      return Date.now() - since < afterSeconds * 1000 ? [] : [{ ...alarm, since: new Date(since).toISOString() }];
    });
  };

  const look = async (): Promise<void> => {
    if (!fleet.steward) {
      firstSeen.clear();
      await readAlarms(database);
      return;
    }
    const current = lasting(await lookAround(options, await rules()));
    const known = await readAlarms(database);
    for (const alarm of current) {
      if (known.some(({ key }) => key === alarm.key) || !(await insertAlarm(database, alarm))) continue;
      log.warn({ alarm: alarm.key }, `${alarm.where}: ${alarm.what}`);
      await channels.tell('alarms', alarmMessage('alarm.raised', alarm));
    }
    for (const alarm of known) {
      if (current.some(({ key }) => key === alarm.key) || !(await deleteAlarm(database, alarm.key))) continue;
      log.info({ alarm: alarm.key }, `over: ${alarm.where}: ${alarm.what}`);
      await channels.tell('alarms', alarmMessage('alarm.cleared', alarm));
    }
  };

  const noteDatabase = async (error: unknown): Promise<void> => {
    if (error === null && databaseAlarm !== null) {
      await channels.tellNow('alarms', alarmMessage('alarm.cleared', databaseAlarm));
      databaseAlarm = null;
    } else if (error !== null && databaseAlarm === null) {
      databaseAlarm = {
        key: 'database',
        kind: 'database',
        severity: 'critical',
        what: `The database does not answer: ${Fault.from(error, 'database').message}`,
        where: 'server',
        since: new Date().toISOString(),
        remedy: 'Look at the database and its disk; jobs go on by themselves as soon as it answers.',
      };
      log.error({ alarm: 'database' }, databaseAlarm.what);
      await channels.tellNow('alarms', alarmMessage('alarm.raised', databaseAlarm));
    }
  };

  const keepLooking = async () => {
    for (;;) {
      await look().then(
        () => noteDatabase(null),
        (error: unknown) => (closing.aborted ? undefined : noteDatabase(error)),
      );
      await delay(EVERY_MILLISECONDS, closing);
    }
  };
  keepLooking().catch((error: unknown) => {
    if (!closing.aborted) log.error({ err: error }, 'alarms are no longer looked for');
  });

  return {
    async list() {
      const alarms = await readAlarms(database).catch((error: unknown) => {
        if (databaseAlarm === null) throw error;
        return [];
      });
      return databaseAlarm === null ? alarms : [databaseAlarm, ...alarms];
    },
    async acknowledge(key, account) {
      if (!(await acknowledge(database, key, account))) {
        throw new Fault('object.missing', `there is no alarm "${key}" (any more)`, { remedy: 'cloudspan alarms' });
      }
      const alarm = (await readAlarms(database)).find((one) => one.key === key);
      if (alarm === undefined) throw new Fault('object.missing', `the alarm "${key}" is over`);
      return alarm;
    },
    rules,
    async setRules(change) {
      const next = AlarmRulesSchema.parse({ ...(await rules()), ...change });
      await writeSetting(database, SETTING, next);
      return next;
    },
  };
}
