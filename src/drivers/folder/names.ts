import { Fault } from '../../model/fault.ts';

const MAX_BYTES = 180;

/** A name of a machine as one of a file: what file systems (also those of Windows and cameras) refuse is written `%xx`. */
export function fileName(name: string): string {
  const percent = (found: string) =>
    [...Buffer.from(found)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
  let text = name.replace(/[\p{Cc}%/\\:*?"<>|]|^\.|[. ]$/gu, percent);
  while (Buffer.byteLength(text) > MAX_BYTES) text = [...text].slice(0, -1).join('');
  return text === '' ? '%' : text;
}

/** The name that a copy takes among those that are taken. Fault: `object.exists`. */
export function freeName(taken: ReadonlySet<string>, name: string, onClash: 'fail' | 'rename', who: string): string {
  if (!taken.has(name)) return name;
  if (onClash === 'fail') {
    throw new Fault('object.exists', `${who}: "${name}" is there already`, {
      remedy: 'Choose another name, or ask for a new one with --rename.',
    });
  }
  let count = 2;
  while (taken.has(`${name} (${count})`)) count++;
  return `${name} (${count})`;
}
