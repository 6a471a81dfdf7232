import type { Session } from './session.ts';
import { awaitAnswer } from './tasks.ts';
import { body, child, linkOf, mediaType, rewrite, tag, type XmlElement } from './xml.ts';

/** Gives a vApp its name and description. */
export async function renameVapp(
  session: Session,
  href: string,
  name: string,
  description: string,
  signal: AbortSignal,
): Promise<void> {
  await put(session, href, 'vApp', body('VApp', { name }, tag('Description', {}, description)), name, signal);
}

/**
 * Gives a template its name and description. The catalog item carries both as well; on the releases where it follows
 * its template by itself the second step has nothing left to do.
 */
export async function renameTemplate(
  session: Session,
  href: string,
  name: string,
  description: string,
  signal: AbortSignal,
): Promise<void> {
  const text = tag('Description', {}, description);
  const carries = (element: XmlElement) =>
    element.attributes.name === name && (child(element, 'Description')?.text ?? '') === description;
  const template = await session.read(href, `read "${name}"`, signal);
  if (!carries(template)) {
    await put(session, href, 'vAppTemplate', body('VAppTemplate', { name }, text), name, signal);
  }
  const itemHref = linkOf(template, 'catalogItem');
  if (itemHref === undefined) return;
  const item = await session.read(itemHref, `read the catalog item of "${name}"`, signal);
  if (carries(item)) return;
  const entity = child(item, 'Entity');
  const content = body('CatalogItem', { name }, text, entity === undefined ? undefined : rewrite(entity));
  await put(session, itemHref, 'catalogItem', content, name, signal);
}

async function put(
  session: Session,
  href: string,
  type: string,
  content: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const what = `rename to "${name}"`;
  const answer = await session.send({ method: 'PUT', href, what, type: mediaType(type), body: content, signal });
  // A catalog item is answered as it is now, the others with a task.
  await awaitAnswer(session, answer, what, signal);
}
