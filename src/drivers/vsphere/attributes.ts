import { textOf } from './element.ts';
import { decodeName } from './names.ts';
import { readObjects } from './property-collector.ts';
import type { Session } from './session.ts';

/** Names of the custom attributes by key: `CustomFieldsManager.field`. A host without a vCenter has none. */
export async function attributeNames(session: Session, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const book = session.serviceIfAny('customFieldsManager');
  if (book === undefined) return new Map();
  const [content] = await readObjects(session, [book], ['field'], signal);
  return new Map(
    (content?.props.get('field')?.children ?? []).map((field) => [
      textOf(field, 'key') ?? '',
      decodeName(textOf(field, 'name') ?? ''),
    ]),
  );
}
