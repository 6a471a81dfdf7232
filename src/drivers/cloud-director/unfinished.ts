import { Fault } from '../../model/fault.ts';
import { MARKER_KEY, readMetadata } from './metadata.ts';
import type { Session } from './session.ts';
import type { XmlElement } from './xml.ts';

/** Cloud Director cuts no name, it refuses longer ones. */
const LONGEST_NAME = 128;

/** The name that an object has until it is finished: `<name> [cloudspan <marker>]`, the name cut where it must be. */
export function unfinishedName(name: string, marker: string): string {
  const suffix = suffixOf(marker);
  return (
    [...name]
      .slice(0, LONGEST_NAME - suffix.length)
      .join('')
      .trimEnd() + suffix
  );
}

export function suffixOf(marker: string): string {
  return ` [cloudspan ${marker}]`;
}

/** The marker at the end of an unfinished name. */
export function markerIn(name: string): string | undefined {
  return / \[cloudspan ([0-9a-z-]+)\]$/.exec(name)?.[1];
}

export function isUnfinished(element: XmlElement, marker: string): boolean {
  return (element.attributes.name ?? '').endsWith(suffixOf(marker));
}

/** Whether the object was made by the job with this marker: by its unfinished name or by its metadata. */
export async function carriesMarker(
  session: Session,
  element: XmlElement,
  href: string,
  marker: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (isUnfinished(element, marker)) return true;
  return (await readMetadata(session, href, signal)).get(MARKER_KEY) === marker;
}

/** Reads an entity that may be gone. */
export async function readIfThere(session: Session, href: string, signal: AbortSignal): Promise<XmlElement | null> {
  try {
    return await session.read(href, 'look for what an earlier attempt made', signal);
  } catch (error) {
    if (error instanceof Fault && error.code === 'object.missing') return null;
    throw error;
  }
}

/** `name`, or with `rename` the first of `name (2)`, `name (3)` … that is not taken. Fault `object.exists`. */
export function freeName(
  session: Session,
  name: string,
  taken: ReadonlySet<string>,
  onClash: 'fail' | 'rename',
  where: string,
): string {
  if (!taken.has(name)) return name;
  if (onClash === 'fail') {
    throw new Fault('object.exists', `${session.who}: there is already a "${name}" in ${where}`);
  }
  for (let number = 2; ; number++) {
    const suffix = ` (${number})`;
    const candidate = [...name].slice(0, LONGEST_NAME - suffix.length).join('') + suffix;
    if (!taken.has(candidate)) return candidate;
  }
}

/**
 * The unfinished name is one job's alone. Where it is taken, a call of an attempt that was killed was served after this
 * attempt had looked for what is there: the next one finds it.
 */
export function orLateTwin(error: unknown, what: string, who: string): unknown {
  if (!(error instanceof Fault) || error.code !== 'object.exists') return error;
  return new Fault('object.busy', `${who}: ${what}: an earlier attempt is still making it`, { cause: error });
}
