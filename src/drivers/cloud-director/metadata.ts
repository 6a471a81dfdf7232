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
