import { Fault } from './fault.ts';
import type { FileDescription, PackageDescription } from './machine.ts';

/** Id of the one file of media. */
export const MEDIA_FILE = 'image';

const SUFFIX = /\.iso$/i;

/** The description of an image of a disc. */
export function mediaPackage(name: string, bytes: number, notes = ''): PackageDescription {
  return {
    kind: 'media',
    name,
    notes,
    machines: [],
    networks: [],
    startOrder: [],
    properties: [],
    eulas: [],
    files: [{ id: MEDIA_FILE, path: isoName(name.replace(/[\\/\p{Cc}]/gu, '_')), bytes }],
  };
}

/** The one file of media. Fault: `input.invalid`. */
export function mediaFileOf({ name, machines, files }: PackageDescription, who: string): FileDescription {
  const [file] = files ?? [];
  if (file !== undefined && files?.length === 1 && machines.length === 0) return file;
  throw new Fault('input.invalid', `${who}: media are one file and no machine, "${name}" is something else`);
}

/** The name as one of a file, where that is what makes it an image. */
export function isoName(name: string): string {
  return SUFFIX.test(name) ? name : `${name}.iso`;
}

/** `<stem><words>.iso` of `<stem>.iso`: what is added to a name stands in front of its suffix. */
export function isoNameWith(name: string, words: string): string {
  return SUFFIX.test(name) ? name.replace(SUFFIX, (suffix) => `${words}${suffix}`) : `${name}${words}`;
}

/**
 * The name, or with `rename` the first of `<stem> (2).iso`, `<stem> (3).iso` … that is not taken. Fault: `object.exists`.
 * @param where For the sentence: `catalog "images"`.
 */
export function freeMediaName(
  taken: ReadonlySet<string>,
  name: string,
  onClash: 'fail' | 'rename',
  who: string,
  where: string,
): string {
  if (!taken.has(name)) return name;
  if (onClash === 'fail') {
    throw new Fault('object.exists', `${who}: there is already a "${name}" in ${where}`, {
      remedy: 'Choose another name, or ask for a new one with --rename.',
    });
  }
  for (let number = 2; ; number++) {
    const next = isoNameWith(name, ` (${number})`);
    if (!taken.has(next)) return next;
  }
}
