import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import { quoted, STATUS, statusOf } from './entity.ts';
import type { Session } from './session.ts';
import { failureOf, isOpen, statusOf as taskStatusOf, tasksOf } from './tasks.ts';
import { at, childrenOf, linkOf, type XmlElement } from './xml.ts';

const FIRST_POLL_MILLISECONDS = 100;
const LONGEST_POLL_MILLISECONDS = 3_000;

/** One file of an upload as the template or media show it (`Files/File`). */
export interface TransferFile {
  name: string;
  /** -1 while the cloud does not know it. */
  size: number;
  /** Bytes that are safe there: the one truth for going on. */
  bytesTransferred: number;
  href: string;
}

/** Files that the cloud still wants or takes. Once it has all bytes it may go on listing them, without a link to write to. */
export function filesOf(template: XmlElement): TransferFile[] {
  const listed = childrenOf(at(template, 'Files'), 'File').map((file) => ({
    name: file.attributes.name ?? '',
    size: Number(file.attributes.size ?? -1),
    bytesTransferred: Number(file.attributes.bytesTransferred ?? 0),
    href: linkOf(file, 'upload:default') ?? '',
  }));
  return listed.some(({ href }) => href !== '') ? listed : [];
}

/** The descriptor is the first file, and the only one until it was understood. */
export function descriptorFile(session: Session, template: XmlElement): TransferFile {
  const file = filesOf(template)[0];
  if (file === undefined || file.href === '') {
    throw new Fault(
      'cloud.protocol',
      `${session.who}: the upload of ${quoted(template)} offers no descriptor to write to`,
    );
  }
  return file;
}

export function fileNamed(session: Session, template: XmlElement, name: string): TransferFile {
  const file = filesOf(template).find((candidate) => candidate.name === name);
  if (file === undefined || file.href === '') {
    throw new Fault('cloud.protocol', `${session.who}: the upload of ${quoted(template)} does not ask for "${name}"`);
  }
  return file;
}

export function isDescriptorTaken(template: XmlElement): boolean {
  return template.attributes.ovfDescriptorUploaded === 'true' || filesOf(template).length > 1;
}

/** The cloud has all of it. */
export function isReady(entity: XmlElement): boolean {
  return statusOf(entity) === (entity.name === 'Media' ? STATUS.resolved : STATUS.off);
}

/** Whether an upload can still become a template or media: not failed (-1), not given up for standing still (17). */
export function isAlive(template: XmlElement): boolean {
  const status = statusOf(template);
  return status === STATUS.unresolved || status === STATUS.resolved || status === STATUS.off;
}

/** Reads the template or media until `done`; one that failed meanwhile is a fault with the message of its task. */
export async function pollTemplate(
  session: Session,
  href: string,
  what: string,
  done: (template: XmlElement) => boolean,
  signal: AbortSignal,
): Promise<XmlElement> {
  for (let wait = FIRST_POLL_MILLISECONDS; ; wait = Math.min(wait * 1.5, LONGEST_POLL_MILLISECONDS)) {
    const template = await session.read(href, what, signal);
    if (!isAlive(template)) throw uploadFailure(session, template, what);
    const failed = tasksOf(template).find((task) => !isOpen(task) && taskStatusOf(task) !== 'success');
    if (failed !== undefined && !isReady(template)) throw failureOf(session, failed, what);
    if (done(template)) return template;
    await delay(wait, signal);
  }
}

function uploadFailure(session: Session, template: XmlElement, what: string): Fault {
  if (statusOf(template) === STATUS.transferTimeout) {
    return new Fault('lease.expired', `${session.who}: ${what}: the cloud gave the upload up because it stood still`);
  }
  const failed = tasksOf(template).find((task) => !isOpen(task) && taskStatusOf(task) !== 'success');
  if (failed !== undefined) return failureOf(session, failed, what);
  return new Fault('cloud.failed', `${session.who}: ${what}: the cloud did not take it (status ${statusOf(template)})`);
}
