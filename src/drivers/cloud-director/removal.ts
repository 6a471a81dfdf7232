import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { WorkContext } from '../driver.ts';
import { findOf } from './adoption.ts';
import { disable } from './download.ts';
import { isDeployed, locate, quoted } from './entity.ts';
import type { Session } from './session.ts';
import { awaitAnswer, awaitTask, cancelTask, isOpen, tasksOf } from './tasks.ts';
import { isUnfinished, readIfThere } from './unfinished.ts';
import { body, mediaType, tag, type XmlElement } from './xml.ts';

/** Ends what runs on a template or media (an upload, an import) and deletes it with its catalog item. Gone already is fine. */
export async function removeItem(session: Session, href: string, signal: AbortSignal): Promise<void> {
  await deleteEntity(session, href, signal);
}

/** Gone already is fine. Open tasks on it are cancelled. */
export async function deleteEntity(session: Session, href: string, signal: AbortSignal): Promise<void> {
  const element = await readIfThere(session, href, signal);
  if (element === null) return;
  for (const task of tasksOf(element).filter(isOpen)) {
    await cancelTask(session, task, signal).catch((error) => ended(error));
    await awaitTask(session, task, 'cancel a task', signal).catch((error) => ended(error));
  }
  await deleteAsRead(session, href, element, signal);
}

/** Deletes what was read just now, without a look at its tasks. Gone already is fine. */
export async function deleteAsRead(
  session: Session,
  href: string,
  element: XmlElement,
  signal: AbortSignal,
): Promise<void> {
  const what = `delete ${quoted(element)}`;
  try {
    await awaitAnswer(session, await session.send({ method: 'DELETE', href, what, signal }), what, signal);
  } catch (error) {
    if ((await readIfThere(session, href, signal)) !== null) throw error;
  }
}

/** A task that cannot be cancelled, was cancelled, failed or is gone: all the same before a deletion. */
function ended(error: unknown): void {
  if (
    error instanceof Fault &&
    (error.code === 'cloud.failed' || error.code === 'object.missing' || error.code === 'auth.forbidden')
  )
    return;
  throw error;
}

/** Undeploys and deletes a vApp; the caller has made sure that it may go. */
export async function removeVapp(
  session: Session,
  href: string,
  element: XmlElement,
  signal: AbortSignal,
): Promise<void> {
  for (const task of tasksOf(element).filter(isOpen)) {
    await awaitTask(session, task, 'wait for a task', signal).catch((error) => ended(error));
  }
  const now = await readIfThere(session, href, signal);
  if (now === null) return;
  if (isDeployed(now)) {
    const what = `undeploy ${quoted(now)}`;
    const answer = await session.send({
      method: 'POST',
      href: `${href}/action/undeploy`,
      what,
      type: mediaType('undeployVAppParams'),
      body: body('UndeployVAppParams', {}, tag('UndeployPowerAction', {}, 'powerOff')),
      signal,
    });
    await awaitAnswer(session, answer, what, signal);
  }
  await deleteEntity(session, href, signal);
}

/**
 * Takes back what the rows of a work name, newest first. What could not be taken back is told in one fault after all
 * else was; a fault that mends itself comes first, because the next try may take back the rest.
 */
export async function undoAll(session: Session, context: WorkContext): Promise<void> {
  const { ledger, signal } = context;
  const faults: Fault[] = [];
  for (const row of ledger.entries.toReversed()) {
    if (row.state !== 'intent' && row.state !== 'made') continue;
    try {
      const reason = await undoRow(session, context, row, signal);
      if (reason === undefined) continue;
      context.log.warn(reason);
      const remedy = 'Look at the named object in Cloud Director; remove it there if it is not wanted.';
      faults.push(new Fault('object.in-use', reason, { remedy }));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      faults.push(error);
    }
  }
  const first = faults.find(({ retry }) => retry === 'soon') ?? faults[0];
  if (first === undefined) return;
  if (first.retry === 'soon' || faults.length === 1) throw first;
  throw new Fault(first.code, faults.map(({ message }) => message).join('; '), { remedy: first.remedy });
}

/** Returns why the row's object was left alone, when it was. */
async function undoRow(
  session: Session,
  { ledger }: WorkContext,
  row: LedgerEntry,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (row.kind === 'download') {
    if (row.objectId !== undefined) await disable(session, locate(session, row.objectId).href, signal);
    await ledger.settle(row, row.objectId === undefined ? 'absent' : 'removed');
    return undefined;
  }
  if (row.kind !== 'template' && row.kind !== 'vapp' && row.kind !== 'media') return undefined;
  const found = await findOf(session, row, row.kind, signal);
  if (found === undefined) {
    await ledger.settle(row, 'absent');
    return undefined;
  }
  const { href, element } = found;
  if (row.kind !== 'vapp') await removeItem(session, href, signal);
  else {
    if (isDeployed(element) && !isUnfinished(element, row.marker)) {
      return `${session.who}: the vApp ${quoted(element)} was left alone: it is finished and powered on`;
    }
    await removeVapp(session, href, element, signal);
  }
  await ledger.settle(row, 'removed');
  return undefined;
}
