import { Fault } from '../../model/fault.ts';
import type { Session } from './session.ts';
import { awaitAnswer } from './tasks.ts';
import { body, childrenOf, mediaType, tag, textAt, type XmlElement } from './xml.ts';

/** Key under which every object that a job makes carries the job's marker. */
export const MARKER_KEY = 'cloudspan.marker';

/** `GET …/metadata`: the string values by key, whatever their domain. */
export async function readMetadata(session: Session, href: string, signal: AbortSignal): Promise<Map<string, string>> {
  const metadata = await session.read(`${href}/metadata`, 'read metadata', signal);
  return valuesOf(childrenOf(metadata, 'MetadataEntry'));
}

/** Keys that the product sets itself begin so. */
const OWN_KEYS = 'cloudspan.';

/** What people have put on an object: its GENERAL metadata by key. Empty where the account may not read it. */
export async function readPeoplesMetadata(
  session: Session,
  href: string,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  try {
    const metadata = await session.read(`${href}/metadata`, 'read metadata', signal);
    const theirs = childrenOf(metadata, 'MetadataEntry').filter(
      (entry) => textAt(entry, 'Domain') !== 'SYSTEM' && !textAt(entry, 'Key').startsWith(OWN_KEYS),
    );
    return valuesOf(theirs);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Fault && error.retry === 'never') return new Map();
    throw error;
  }
}

/** The same as `key=value`, in order. */
export async function readTags(session: Session, href: string, signal: AbortSignal): Promise<string[]> {
  return [...(await readPeoplesMetadata(session, href, signal))].map(([key, value]) => `${key}=${value}`).sort();
}

function valuesOf(entries: readonly XmlElement[]): Map<string, string> {
  return new Map(
    entries.map((entry) => [textAt(entry, 'Key'), textAt(entry, 'TypedValue', 'Value') || textAt(entry, 'Value')]),
  );
}

/** `POST …/metadata` merges these values (GENERAL, readable and writable by the tenant) and waits. */
export async function writeMetadata(
  session: Session,
  href: string,
  values: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const type = mediaType('metadata');
  const entries = Object.entries(values).map(([key, value]) =>
    tag(
      'MetadataEntry',
      {},
      tag('Domain', { visibility: 'READWRITE' }, 'GENERAL'),
      tag('Key', {}, key),
      tag('TypedValue', { 'xsi:type': 'MetadataStringValue' }, tag('Value', {}, value)),
    ),
  );
  const answer = await session.send({
    method: 'POST',
    href: `${href}/metadata`,
    what: 'write metadata',
    type,
    body: body('Metadata', {}, entries),
    signal,
  });
  await awaitAnswer(session, answer, 'write metadata', signal);
}
