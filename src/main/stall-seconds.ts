import { Fault } from '../model/fault.ts';

export const STALL_HELP = 'silence after which a connection is given up';

export function stallSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds >= 1 && seconds <= 3600) return seconds;
  throw new Fault('input.invalid', `--stall-seconds ${text} is not between 1 and 3600`);
}
