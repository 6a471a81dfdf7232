import { Fault } from '../../model/fault.ts';
import type { Power, PowerAction } from '../driver.ts';
import { isDeployed, quoted, readEntity, STATUS, statusOf } from './entity.ts';
import type { Session } from './session.ts';
import { awaitAnswer } from './tasks.ts';
import { body, mediaType, tag, type XmlElement } from './xml.ts';

export function powerFacet(session: Session): Power {
  return {
    apply: (id, action, signal) => apply(session, id, action, signal),
  };
}

async function apply(session: Session, id: string, action: PowerAction, signal: AbortSignal): Promise<void> {
  const { href, element } = await readEntity(session, id, ['vm', 'vapp'], signal);
  const target: Target = { session, href, element, what: `${action} ${quoted(element)}`, signal };
  const status = statusOf(element);
  switch (action) {
    case 'on':
      if (status !== STATUS.on) await power(target, 'powerOn');
      return;
    case 'resume':
      if (status === STATUS.on) return;
      if (status !== STATUS.suspended) throw notThere(target, 'is not suspended, so there is nothing to resume');
      await power(target, 'powerOn');
      return;
    case 'off':
      await off(target);
      return;
    case 'shutdown':
      if (!isOff(element)) await undeploy(target, status === STATUS.suspended ? 'powerOff' : 'shutdown');
      return;
    case 'suspend':
      if (status === STATUS.suspended) return;
      if (isOff(element)) throw notThere(target, 'is off, so there is nothing to suspend');
      await power(target, 'suspend');
      return;
    case 'reset':
      if (status !== STATUS.on && status !== STATUS.mixed)
        throw notThere(target, 'does not run, so it cannot be reset');
      await power(target, 'reset');
  }
}

interface Target {
  session: Session;
  href: string;
  element: XmlElement;
  what: string;
  signal: AbortSignal;
}

/** Off in the sense that it can leave: `powerOff` alone keeps a machine deployed, then its download is refused. */
export function isOff(element: XmlElement): boolean {
  const status = statusOf(element);
  return !isDeployed(element) && status !== STATUS.suspended && status !== STATUS.on && status !== STATUS.mixed;
}

async function off(target: Target): Promise<void> {
  const { session, href, what, signal } = target;
  let element = target.element;
  if (statusOf(element) === STATUS.suspended) {
    await post(target, 'action/discardSuspendedState');
    element = await session.read(href, what, signal);
  }
  if (!isOff(element)) await undeploy(target, 'powerOff');
}

async function undeploy(target: Target, how: 'powerOff' | 'shutdown'): Promise<void> {
  await post(
    target,
    'action/undeploy',
    mediaType('undeployVAppParams'),
    body('UndeployVAppParams', {}, tag('UndeployPowerAction', {}, how)),
  );
}

function power(target: Target, action: 'powerOn' | 'suspend' | 'reset'): Promise<void> {
  return post(target, `power/action/${action}`);
}

async function post(target: Target, path: string, type?: string, content?: string): Promise<void> {
  const { session, href, what, signal } = target;
  const call = { method: 'POST', href: `${href}/${path}`, what, signal } as const;
  const answer = await session.send(content === undefined ? call : { ...call, type: type ?? '', body: content });
  await awaitAnswer(session, answer, what, signal);
}

function notThere({ session, element }: Target, why: string): Fault {
  return new Fault('cloud.unsupported', `${session.who}: ${quoted(element)} ${why}`, {
    remedy: 'Look at its state; ask for an action that fits it.',
  });
}
