import { randomUUID } from 'node:crypto';
import type { AlarmView } from '../../protocol/api/alarms.ts';
import type { JobView } from '../../protocol/api/jobs.ts';

/** What a channel carries. The id is the same at every try, so that a receiver knows what it has seen. */
export interface Message {
  id: string;
  type: string;
  at: string;
  /** One line, for people. */
  text: string;
  severity: 'info' | 'warning' | 'critical';
  alarm?: AlarmView;
  job?: ReturnType<typeof jobOf>;
}

const base = () => ({ id: randomUUID(), at: new Date().toISOString() });

export function alarmMessage(type: 'alarm.raised' | 'alarm.cleared', alarm: AlarmView): Message {
  const raised = type === 'alarm.raised';
  const text = `${raised ? 'ALARM' : 'over'}: ${alarm.where}: ${alarm.what}${raised ? ` ${alarm.remedy}` : ''}`;
  return { ...base(), type, text, severity: raised ? alarm.severity : 'info', alarm };
}

export function jobMessage(job: JobView): Message {
  const why = job.failure === undefined ? '' : `: ${job.failure.message}`;
  const text = `job ${job.number} ${job.state}: ${job.title}${why}`;
  const severity = job.state === 'failed' ? 'warning' : 'info';
  return { ...base(), type: `job.${job.state}`, text, severity, job: jobOf(job) };
}

export function testMessage(channel: string, user: string): Message {
  return { ...base(), type: 'test', text: `test of the channel "${channel}", asked for by ${user}`, severity: 'info' };
}

function jobOf({ id, number, kind, title, state, source, destination, user, createdAt, endedAt, failure }: JobView) {
  const fault = failure === undefined ? {} : { failure: { code: failure.code, message: failure.message } };
  return {
    id,
    number,
    kind,
    title,
    state,
    source,
    destination,
    user,
    createdAt,
    ...(endedAt && { endedAt }),
    ...fault,
  };
}
