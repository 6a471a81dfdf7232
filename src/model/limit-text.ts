import { Fault } from './fault.ts';
import { type Hours, type Limit, type LimitWindow, WEEKDAYS, type Weekday } from './limit.ts';

const UNITS: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const BINARY: Record<string, number> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };
const MOST_BITS = 1e15;

/**
 * `100Mbit/s`, `1.5 Gbit/s`, `800kbit/s`, `10MB/s`, `10MiB/s`, `0` and `unlimited` (null). Bits and bytes are told apart
 * by their names (`bit`, `B`; `b` is refused, since it is used for both); a number alone is bits per second. Fault `input.invalid`.
 */
export function readRate(text: string): number | null {
  if (text.trim() === 'unlimited') return null;
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kKMGT])?(i?)(bit|bits|B)(?:\/s)?)?$/.exec(text.trim());
  const [, number = '', prefix = '', binary = '', unit = 'bit'] = match ?? [];
  const scale = binary === '' ? UNITS[prefix.toLowerCase()] : BINARY[prefix.toLowerCase()];
  const bits = Number(number) * (scale ?? Number.NaN) * (unit === 'B' ? 8 : 1);
  if (match !== null && bits <= MOST_BITS) return Math.round(bits);
  throw new Fault('input.invalid', `"${text}" is no rate`, {
    remedy: 'Write it like 100Mbit/s, 800kbit/s, 10MB/s, 0 or unlimited.',
  });
}

export function writeRate(bitsPerSecond: number | null): string {
  if (bitsPerSecond === null) return 'unlimited';
  const prefix = ['T', 'G', 'M', 'k'].find((one) => bitsPerSecond >= UNITS[one.toLowerCase()]!) ?? '';
  return `${Number((bitsPerSecond / UNITS[prefix.toLowerCase()]!).toFixed(3))} ${prefix}bit/s`;
}

/** `mon-fri 22:00-06:00`: a part of the week. Fault `input.invalid`. */
export function readHours(text: string): Hours {
  const match = /^\s*([a-z,-]+)\s+(\d\d?:\d\d)\s*-\s*(\d\d?:\d\d)\s*$/i.exec(text);
  if (match === null) {
    throw new Fault('input.invalid', `"${text}" is no part of a week`, { remedy: 'Write it as: mon-fri 22:00-06:00' });
  }
  const [, days = '', from = '', to = ''] = match;
  return { days: readDays(days, text), from: readTime(from, text), to: readTime(to, text) };
}

export function writeHours({ days, from, to }: Hours): string {
  return `${writeDays(days)} ${from}-${to}`;
}

/** `mon-fri 08:00-18:00=20Mbit/s`; days are `mon`, `mon,wed`, `fri-mon` or `daily`. Fault `input.invalid`. */
export function readWindow(text: string): LimitWindow {
  const match = /^\s*([a-z,-]+)\s+(\d\d?:\d\d)\s*-\s*(\d\d?:\d\d)\s*=\s*(.+)$/i.exec(text);
  if (match === null) throw unreadable(text, 'is no part of a week with a rate');
  const [, days = '', from = '', to = '', rate = ''] = match;
  return {
    days: readDays(days, text),
    from: readTime(from, text),
    to: readTime(to, text),
    bitsPerSecond: readRate(rate),
  };
}

export function writeWindow({ days, from, to, bitsPerSecond }: LimitWindow): string {
  return `${writeHours({ days, from, to })}=${writeRate(bitsPerSecond).replace(' ', '')}`;
}

/** In one line, for people. */
export function writeLimit({ bitsPerSecond, timeZone, windows }: Limit): string {
  if (windows.length === 0) return writeRate(bitsPerSecond);
  return `${windows.map(writeWindow).join('; ')}; else ${writeRate(bitsPerSecond)}${timeZone === undefined ? '' : ` (${timeZone})`}`;
}

function readDays(text: string, whole: string): Weekday[] {
  if (text.toLowerCase() === 'daily') return [...WEEKDAYS];
  const days = new Set<Weekday>();
  for (const part of text.toLowerCase().split(',')) {
    const ends = part.split('-').map((day) => WEEKDAYS.indexOf(day as Weekday));
    const [first = -1, last = first] = ends;
    if (ends.length > 2 || first < 0 || last < 0) throw unreadable(whole, `names the days "${part}", which are none`);
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(WEEKDAYS[day]!);
      if (day === last) break;
    }
  }
  return WEEKDAYS.filter((day) => days.has(day));
}

function writeDays(days: readonly Weekday[]): string {
  if (days.length === 7) return 'daily';
  const numbers = days.map((day) => WEEKDAYS.indexOf(day)).toSorted((one, other) => one - other);
  const [first = 0, last = first] = [numbers[0], numbers.at(-1)];
  const inARow = numbers.length > 2 && last - first === numbers.length - 1;
  return inARow ? `${WEEKDAYS[first]}-${WEEKDAYS[last]}` : numbers.map((number) => WEEKDAYS[number]).join(',');
}

function readTime(text: string, whole: string): string {
  const padded = text.padStart(5, '0');
  if (!/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/.test(padded))
    throw unreadable(whole, `names the time ${text}, which is none`);
  return padded;
}

function unreadable(text: string, why: string): Fault {
  return new Fault('input.invalid', `"${text}" ${why}`, {
    remedy: "Write it like 'mon-fri 08:00-18:00=20Mbit/s' or 'daily 22:00-06:00=unlimited'.",
  });
}
