/** Days as a person writes them; Monday is the first. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** A part of the week. */
export interface Hours {
  days: Weekday[];
  /** `HH:MM`. One whose end is not after its beginning ends on the next day. */
  from: string;
  /** `HH:MM`, `24:00` for the end of the day. The minute itself does not belong to the window. */
  to: string;
}

/** A part of the week with a rate of its own. */
export interface LimitWindow extends Hours {
  /** Null: no limit. */
  bitsPerSecond: number | null;
}

/** Whether `time` (milliseconds since the epoch) lies in one of these, by the clock of that zone. */
export function isWithin(windows: readonly Hours[], timeZone: string | undefined, time: number): boolean {
  const { day, minute } = wallClock(time, timeZone);
  return windows.some((one) => holds(one, day, minute));
}

/** How fast bytes of blocks may go. It holds for each direction by itself. */
export interface Limit {
  /** Outside of every window. Null: no limit. Zero: nothing goes until it is changed or a window begins. */
  bitsPerSecond: number | null;
  /** IANA name of the time zone of the windows. Default: the node's own. */
  timeZone?: string | undefined;
  /** The first that holds counts. */
  windows: LimitWindow[];
}

/** What one node has to keep to, as its server sees it. */
export interface NodeLimits {
  /** For all transfers of this node together. */
  own: Limit | null;
  /** By pin of the other node: for what goes between the two. */
  pairs: Record<string, Limit>;
  /** By pin of the other node: what that one allows itself, so that it is not sent more than it may take. */
  peers: Record<string, Limit>;
}

/** Bytes per second at `time` (milliseconds since the epoch), or null for no limit. */
export function bytesPerSecondAt(limit: Limit | null, time: number): number | null {
  if (limit === null) return null;
  const { day, minute } = limit.windows.length === 0 ? { day: 0, minute: 0 } : wallClock(time, limit.timeZone);
  const window = limit.windows.find((one) => holds(one, day, minute));
  const bits = window === undefined ? limit.bitsPerSecond : window.bitsPerSecond;
  return bits === null ? null : bits / 8;
}

function holds({ days, from, to }: Hours, day: number, minute: number): boolean {
  const [begin, end] = [minutesOf(from), minutesOf(to)];
  const on = (index: number) => days.includes(WEEKDAYS[(index + 7) % 7]!);
  if (begin < end) return on(day) && minute >= begin && minute < end;
  return (on(day) && minute >= begin) || (on(day - 1) && minute < end);
}

function minutesOf(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return hours * 60 + minutes;
}

const clocks = new Map<string | undefined, Intl.DateTimeFormat>();

function wallClock(time: number, timeZone: string | undefined): { day: number; minute: number } {
  let clock = clocks.get(timeZone);
  if (clock === undefined) {
    const parts = { weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    clock = new Intl.DateTimeFormat('en-GB', { ...parts, ...(timeZone === undefined ? {} : { timeZone }) });
    clocks.set(timeZone, clock);
  }
  const parts = new Map(clock.formatToParts(time).map(({ type, value }) => [type, value]));
  const day = WEEKDAYS.indexOf((parts.get('weekday') ?? '').toLowerCase() as Weekday);
  return { day, minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) };
}

/** How many parts of a shared limit a job of this priority gets: each step is two and a half times the one below. */
export function weightOf(priority: number | undefined): number {
  return 2.5 ** ((priority ?? 1) - 1);
}
