import type { Check } from '../model/check.ts';
import type { Capability } from '../model/cloud-check.ts';
import { printLine } from './output.ts';

type Loose<T> = { [Key in keyof T]: T[Key] | undefined };

/** The steps as they were taken, then what works, each with what to do where something stands against it. */
export function printCloudCheck(check: { checks: Loose<Check>[]; capabilities: Loose<Capability>[] }): void {
  for (const { outcome = '', name, found, remedy } of check.checks) printOne(outcome, name, found, remedy);
  for (const { state = '', name, found, remedy } of check.capabilities) printOne(state, name, found, remedy);
}

function printOne(word: string, name = '', found = '', remedy?: string): void {
  printLine(`${word.padEnd(8)} ${name.padEnd(11)} ${found}`);
  if (remedy !== undefined) printLine(`${' '.repeat(21)}what to do: ${remedy}`);
}
