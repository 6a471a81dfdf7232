import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import { faultOfTask, readErrorElement } from './faults.ts';
import type { Session } from './session.ts';
import { at, child, childrenOf, linkOf, type XmlElement } from './xml.ts';

const OPEN_STATES = new Set(['queued', 'preRunning', 'running', 'postRunning']);
const FIRST_POLL_MILLISECONDS = 100;
const LONGEST_POLL_MILLISECONDS = 3_000;

/**
 * Waits until a task of the cloud has ended and returns it. There is no limit of time: a task of the cloud has its own.
 * A task that did not succeed is a fault with the cloud's message. An abort ends the waiting, not the task.
 */
export async function awaitTask(
  session: Session,
  task: XmlElement,
  what: string,
  signal: AbortSignal,
): Promise<XmlElement> {
  let current = task;
  for (let wait = FIRST_POLL_MILLISECONDS; OPEN_STATES.has(statusOf(current)); ) {
    await delay(wait, signal);
    wait = Math.min(wait * 1.5, LONGEST_POLL_MILLISECONDS);
    current = await session.read(hrefOf(session, current), `wait for "${what}"`, signal);
  }
  if (statusOf(current) === 'success') return current;
  throw failureOf(session, current, what);
}

export function failureOf(session: Session, task: XmlElement, what: string): Fault {
  const error = child(task, 'Error');
  return faultOfTask(session.who, what, statusOf(task), error === undefined ? undefined : readErrorElement(error));
}

/** Waits for the task that an answer is, or for all that it carries in `Tasks` (creates answer with the new entity). */
export async function awaitAnswer(
  session: Session,
  answer: XmlElement | null,
  what: string,
  signal: AbortSignal,
): Promise<void> {
  if (answer === null) return;
  const tasks = answer.name === 'Task' ? [answer] : tasksOf(answer);
  for (const task of tasks) await awaitTask(session, task, what, signal);
}

/** Running and recently ended tasks that an entity shows. */
export function tasksOf(entity: XmlElement): XmlElement[] {
  return childrenOf(at(entity, 'Tasks'), 'Task');
}

export function isOpen(task: XmlElement): boolean {
  return OPEN_STATES.has(statusOf(task));
}

export function statusOf(task: XmlElement): string {
  return task.attributes.status ?? '';
}

/** Asks the cloud to end a task; what was ended already stays as it is. */
export async function cancelTask(session: Session, task: XmlElement, signal: AbortSignal): Promise<void> {
  const href = linkOf(task, 'task:cancel') ?? `${hrefOf(session, task)}/action/cancel`;
  await session.send({ method: 'POST', href, what: 'cancel a task', signal });
}

function hrefOf(session: Session, task: XmlElement): string {
  const href = task.attributes.href;
  if (href === undefined)
    throw new Fault('cloud.protocol', `${session.who}: the cloud named a task without its address`);
  return href;
}
