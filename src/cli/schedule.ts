import { Fault } from '../model/fault.ts';
import { readHours } from '../model/limit-text.ts';
import type { CopyRequest } from '../protocol/api/jobs.ts';

export interface ScheduleFlags {
  at?: string;
  window?: string[];
  timeZone?: string;
  pauseAtEnd?: boolean;
}

/** Undefined where it starts at once. Fault: `input.invalid`. */
export function scheduleOf(flags: ScheduleFlags): CopyRequest['schedule'] {
  const { at, window = [], timeZone, pauseAtEnd } = flags;
  if (window.length === 0 && (timeZone !== undefined || pauseAtEnd === true)) {
    throw new Fault('input.invalid', '--time-zone and --pause-at-end are said of a window: name one by --window');
  }
  if (at === undefined && window.length === 0) return undefined;
  return {
    ...(at === undefined ? {} : { at: timeOf(at) }),
    ...(window.length === 0 ? {} : { windows: window.map(readHours) }),
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(pauseAtEnd === true ? { atEnd: 'pause' as const } : {}),
  };
}

/** A time without an offset is that of this machine. */
function timeOf(text: string): string {
  const time = Date.parse(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time)) return new Date(time).toISOString();
  throw new Fault('input.invalid', `--at ${text} is no time`, {
    remedy: 'Write it as 2026-07-01T22:00 or 2026-07-01T22:00:00+02:00.',
  });
}
