import { Fault } from '../../model/fault.ts';
import type { PackageKind } from '../../model/machine.ts';
import { machinesOf, quoted, readEntity, STATUS, statusOf, urnOf } from './entity.ts';
import { isOff } from './power.ts';
import type { Session } from './session.ts';
import { isOpen, tasksOf } from './tasks.ts';
import { linkOf, mediaType, type XmlElement } from './xml.ts';

/**
 * What an export is made of. Cloud Director hands out whole vApps and templates only, so a VM is its vApp, of which
 * only that VM is described and read.
 */
export interface Source {
  readonly id: string;
  readonly kind: PackageKind;
  /** Address and document of the vApp or template. */
  readonly href: string;
  readonly holder: XmlElement;
  /** The machines that leave. */
  readonly machines: readonly XmlElement[];
  readonly name: string;
}

export async function readSource(session: Session, id: string, signal: AbortSignal): Promise<Source> {
  const { kind, href, element } = await readEntity(session, id, ['vm', 'vapp', 'template'], signal);
  const name = element.attributes.name ?? '';
  if (kind !== 'vm') {
    return {
      id,
      kind: kind === 'template' ? 'template' : 'vapp',
      href,
      holder: element,
      machines: machinesOf(element),
      name,
    };
  }
  const up = linkOf(element, 'up', mediaType('vApp')) ?? linkOf(element, 'up');
  if (up === undefined) throw new Fault('cloud.protocol', `${session.who}: the VM ${quoted(element)} names no vApp`);
  const holder = await session.read(up, `read the vApp of ${quoted(element)}`, signal);
  const inside = machinesOf(holder).filter(({ attributes }) => urnOf('vm', attributes.href ?? '') === id);
  return { id, kind: 'vm', href: up, holder, machines: inside.length > 0 ? inside : [element], name };
}

export async function sourceIfThere(session: Session, id: string, signal: AbortSignal): Promise<Source | null> {
  try {
    return await readSource(session, id, signal);
  } catch (error) {
    if (error instanceof Fault && error.code === 'object.missing') return null;
    throw error;
  }
}

/** Names of the checks that obstacles belong to. */
type ObstacleName = 'machine-powered-off' | 'vapp-powered-off' | 'object-usable' | 'object-free';

/** Which check an obstacle belongs to. `machine-powered-off` only where switching off the source is all that is needed. */
export function nameOfObstacle(source: Source, fault: Fault): ObstacleName {
  if (fault.code === 'machine.unsupported') return 'object-usable';
  if (fault.code !== 'machine.running') return 'object-free';
  const whole = source.kind !== 'vm' || (othersRunning(source).length === 0 && !source.machines.every(isOff));
  return whole ? 'machine-powered-off' : 'vapp-powered-off';
}

/** Running machines of the same vApp that were not asked for. */
function othersRunning(source: Source): XmlElement[] {
  const own = new Set(source.machines.map(({ attributes }) => attributes.href));
  return machinesOf(source.holder).filter((vm) => !isOff(vm) && !own.has(vm.attributes.href));
}

/** Why this cannot leave now, or undefined when it can. */
export function obstacle(session: Session, source: Source): Fault | undefined {
  const { holder, name } = source;
  const what = `${session.who}: "${name}"`;
  const status = statusOf(holder);
  if (status === STATUS.unresolved) return new Fault('object.busy', `${what} is still being made`);
  if (status === STATUS.failed || (source.kind === 'template' && status !== STATUS.off)) {
    return new Fault('machine.unsupported', `${what} is not usable (status ${status})`, {
      remedy: 'Its making failed or was given up: remove it in Cloud Director and make it again.',
    });
  }
  if (source.kind === 'template') return undefined;
  if (!isOff(holder)) return running(session, source);
  if (tasksOf(holder).some(isOpen)) return new Fault('object.busy', `${what} has a task under way`);
  return undefined;
}

function running(session: Session, source: Source): Fault {
  const on = machinesOf(source.holder).filter((vm) => !isOff(vm));
  const others = othersRunning(source).map(({ attributes }) => attributes.name ?? '');
  const vapp = source.holder.attributes.name ?? '';
  const sentence =
    source.kind === 'vm' && others.length > 0 && on.length === others.length
      ? `"${source.name}" is off, but its vApp "${vapp}" also holds running machines (${others.join(', ')}), and Cloud Director hands out whole vApps only`
      : source.kind === 'vm' && others.length > 0
        ? `"${source.name}" runs, and so do others in its vApp "${vapp}" (${others.join(', ')})`
        : `"${source.name}" is powered on, suspended or still deployed`;
  return new Fault('machine.running', `${session.who}: ${sentence}`, {
    remedy: `Power off the whole vApp "${vapp}" (power off or shut down, which undeploys it).`,
    details: { running: on.map(({ attributes }) => attributes.name ?? '') },
  });
}
