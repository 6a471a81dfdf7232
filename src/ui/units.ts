const bytesFormat = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const timeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

export function bytesText(bytes: number): string {
  const unit = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${bytesFormat.format(bytes / 1024 ** unit)} ${UNITS[unit]}`;
}

/** `0:07`, `12:30`, `3:05:00`. */
export function secondsText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function timeText(iso: string | undefined): string {
  return iso === undefined ? '' : timeFormat.format(new Date(iso));
}

export function clockText(iso: string): string {
  return clockFormat.format(new Date(iso));
}

/** Seconds between two moments; up to `now` while the second is still to come. */
export function secondsBetween(from: string | undefined, to: string | undefined, now = Date.now()): number | undefined {
  if (from === undefined) return undefined;
  return ((to === undefined ? now : Date.parse(to)) - Date.parse(from)) / 1000;
}
