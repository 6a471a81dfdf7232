import { readFileSync } from 'node:fs';
import { Fault } from '../model/fault.ts';

/** A file that a flag names, as text. Fault `input.invalid` names the flag and the file. */
export function readNamedFile(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Fault('input.invalid', `${flag} ${path}: ${(error as Error).message}`, {
      cause: error,
      remedy: 'Give a file that exists and can be read.',
    });
  }
}
