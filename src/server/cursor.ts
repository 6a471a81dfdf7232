/** Where a long list goes on. Opaque to clients; the answer before gave it. */
import { Fault } from '../model/fault.ts';

export function writeCursor(list: string, position: string | number): string {
  return Buffer.from(JSON.stringify([list, position])).toString('base64url');
}

/** Fault `input.invalid` where the list did not give it. */
export function readCursor(list: string, cursor: string): string {
  try {
    const [of, position] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as [unknown, unknown];
    if (of === list && (typeof position === 'string' || typeof position === 'number')) return String(position);
  } catch {
    // Said below.
  }
  throw new Fault('input.invalid', `the cursor is not one of the list of ${list}`, {
    remedy: 'Use `next` of the answer before, or none for the beginning.',
  });
}
