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

/** The same for media. */
export async function renameMedia(
  session: Session,
  href: string,
  name: string,
  description: string,
  signal: AbortSignal,
): Promise<void> {
  const media = await session.read(href, `read "${name}"`, signal);
  const { imageType = 'iso', size } = media.attributes;
  const content = body('Media', { name, imageType, size }, tag('Description', {}, description));
  await renameItem(session, { href, element: media, type: 'media', content }, name, description, signal);
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
  const template = await session.read(href, `read "${name}"`, signal);
  const content = body('VAppTemplate', { name }, tag('Description', {}, description));
  await renameItem(session, { href, element: template, type: 'vAppTemplate', content }, name, description, signal);
}

async function renameItem(
  session: Session,
  entity: { href: string; element: XmlElement; type: string; content: string },
  name: string,
  description: string,
  signal: AbortSignal,
): Promise<void> {
  const text = tag('Description', {}, description);
  const carries = (element: XmlElement) =>
    element.attributes.name === name && (child(element, 'Description')?.text ?? '') === description;
  if (!carries(entity.element)) await put(session, entity.href, entity.type, entity.content, name, signal);
  const itemHref = linkOf(entity.element, 'catalogItem');
  if (itemHref === undefined) return;
  const item = await session.read(itemHref, `read the catalog item of "${name}"`, signal);
  if (carries(item)) return;
  const inner = child(item, 'Entity');
  const content = body('CatalogItem', { name }, text, inner === undefined ? undefined : rewrite(inner));
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
