import { Fault } from '../model/fault.ts';
import type { OptionDescription, OptionValues } from '../model/option.ts';
import { canAsk, readSecret } from './prompt.ts';

/**
 * The words that a command does not know as its own options: first its arguments, then flags that only the other side
 * knows. Commander takes the first words for arguments whatever they look like, so a flag among them is named here.
 */
export function refuseFlagAsArgument(argument: string, usage: string): void {
  if (!argument.startsWith('--')) return;
  throw new Fault('input.invalid', `${argument} stands where an argument is expected`, {
    remedy: `Put such flags last: ${usage}`,
  });
}

/** 1 to 4. */
export function readPriority(text: string): number {
  if (/^[1-4]$/.test(text)) return Number(text);
  throw new Fault('input.invalid', `"${text}" is no priority`, { remedy: 'Use 1 (what every job has), 2, 3 or 4.' });
}

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** `90s`, `10m`, `2h`, `7d`. */
export function readSeconds(text: string, flag: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (UNITS[unit as keyof typeof UNITS] ?? Number.NaN);
  if (seconds > 0) return seconds;
  throw new Fault('input.invalid', `${flag} ${text} is no time`, { remedy: 'Write 90s, 10m, 2h or 7d.' });
}

/** A whole number, one or more. */
export function readCount(text: string, flag: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new Fault('input.invalid', `${flag} ${text} is no whole number above zero`);
}

/** `--name value`, `--name=value` and `--name` (a switch) out of what the command itself did not know. */
export function parseUnknown(words: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const match = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(word);
    if (match === null) throw new Fault('input.invalid', `"${word}" is not understood here`, { remedy: 'See --help.' });
    const [, name = '', inline] = match;
    const next = words[at + 1];
    if (inline !== undefined) values.set(name, inline);
    else if (next !== undefined && !next.startsWith('--')) {
      values.set(name, next);
      at++;
    } else values.set(name, 'true');
  }
  return values;
}

/**
 * Flags become option values by a driver's own description. Secrets are read from `--<name>-file` or
 * `CLOUD_<NAME>`, never from argv.
 */
export async function optionValues(
  described: readonly OptionDescription[],
  given: Map<string, string>,
  owner: string,
): Promise<OptionValues> {
  const rest = new Map(given);
  const take = (name: string) => {
    const value = rest.get(name);
    rest.delete(name);
    return value;
  };
  const values: OptionValues = {};
  for (const option of described) {
    if (option.type === 'secret') {
      if (rest.has(option.name)) {
        throw new Fault('input.invalid', `--${option.name} would put a secret on the command line`, {
          remedy: `Use --${option.name}-file FILE (- for stdin), or the variable ${variableOf(option.name)}.`,
        });
      }
      const file = take(`${option.name}-file`);
      const variable = variableOf(option.name);
      const asked =
        option.required || (canAsk() && !described.some((one) => one.type === 'secret' && values[one.name]));
      if (asked || file !== undefined || process.env[variable] !== undefined) {
        const secret = await readSecret(option.label, file, variable);
        if (secret !== '' || option.required) values[option.name] = secret;
      }
      continue;
    }
    const value = take(option.name) ?? option.default;
    if (value !== undefined) values[option.name] = value;
    else if (option.required) {
      throw new Fault('input.invalid', `${owner} needs --${option.name} (${option.label})`, { remedy: option.help });
    }
  }
  const unknown = [...rest.keys()][0];
  if (unknown !== undefined) {
    throw new Fault('input.invalid', `${owner} has no option --${unknown}`, {
      remedy: `It has: ${described.map((option) => `--${option.name}`).join(', ')}.`,
    });
  }
  return values;
}

function variableOf(name: string): string {
  return `CLOUD_${name.replaceAll('-', '_').toUpperCase()}`;
}
