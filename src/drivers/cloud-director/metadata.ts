import { Fault } from '../../model/fault.ts';
import type { Session } from './session.ts';
import { awaitAnswer } from './tasks.ts';
import { body, childrenOf, mediaType, tag, textAt } from './xml.ts';

/** Key under which every object that a job makes carries the job's marker. */
export const MARKER_KEY = 'cloudspan.marker';

/** `GET …/metadata`: the string values by key, whatever their domain. */
export async function readMetadata(session: Session, href: string, signal: AbortSignal): Promise<Map<string, string>> {
  const metadata = await session.read(`${href}/metadata`, 'read metadata', signal);
  return new Map(
    childrenOf(metadata, 'MetadataEntry').map((entry) => [
      textAt(entry, 'Key'),
      textAt(entry, 'TypedValue', 'Value') || textAt(entry, 'Value'),
    ]),
  );
}

/** Keys that the product sets itself begin so. */
const OWN_KEYS = 'cloudspan.';

/**
 * What people have put on an object: its GENERAL metadata as `key=value`, in order. Empty where the account may not read
 * it.
 */
export async function readTags(session: Session, href: string, signal: AbortSignal): Promise<string[]> {
  try {
    const metadata = await session.read(`${href}/metadata`, 'read metadata', signal);
    return childrenOf(metadata, 'MetadataEntry')
      .filter((entry) => textAt(entry, 'Domain') !== 'SYSTEM' && !textAt(entry, 'Key').startsWith(OWN_KEYS))
      .map((entry) => `${textAt(entry, 'Key')}=${textAt(entry, 'TypedValue', 'Value') || textAt(entry, 'Value')}`)
      .sort();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Fault && error.retry === 'never') return [];
    throw error;
  }
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
