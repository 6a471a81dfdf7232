import { Fault } from '../model/fault.ts';

/** Rows as columns, for people. Widths follow the content; control characters of names never reach the terminal. */
export function printTable(head: string[], rows: string[][]): void {
  const clean = rows.map((row) => row.map(printable));
  const widths = head.map((title, column) =>
    Math.max(title.length, ...clean.map((row) => [...(row[column] ?? '')].length)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...cell].length)))
      .join('  ')
      .trimEnd();
  for (const row of [head, ...clean]) process.stdout.write(`${line(row)}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function printLine(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** Names come from clouds: what could steer a terminal is shown as an escape. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Says what is wrong and what to do; gives the exit code. */
export function printFault(error: unknown, json: boolean): number {
  const fault = Fault.from(error, 'cloudspan');
  if (json) {
    process.stdout.write(`${JSON.stringify({ fault: fault.report() })}\n`);
  } else {
    process.stderr.write(`error: ${printable(fault.message)}\n`);
    for (const [name, value] of Object.entries(fault.details ?? {})) {
      for (const one of Array.isArray(value) ? value : [value])
        process.stderr.write(`  ${name}: ${printable(String(one))}\n`);
    }
    if (fault.remedy !== '') process.stderr.write(`what to do: ${printable(fault.remedy)}\n`);
    process.stderr.write(`code: ${fault.code}\n`);
  }
  return fault.code === 'input.invalid' ? 2 : 1;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function secondsText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
