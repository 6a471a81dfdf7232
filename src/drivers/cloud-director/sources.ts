import { z } from 'zod';
import { Fault } from '../../model/fault.ts';
import { OFF, type SettingName, type SourceSettings } from '../../model/setting.ts';
import type { Sources } from '../driver.ts';
import { reconfigure } from './configure.ts';
import { locate, urnOf } from './entity.ts';
import { connectionsOf } from './hardware.ts';
import { isOff } from './power.ts';
import { deleteAsRead, deleteEntity } from './removal.ts';
import { renameTemplate, renameVapp } from './rename.ts';
import type { Session } from './session.ts';
import { readSource, type Source, sourceIfThere } from './source.ts';
import { isOpen, tasksOf } from './tasks.ts';
import { versionOf } from './version.ts';
import { child, numberAt, rewrite, textAt, type XmlElement } from './xml.ts';

/** By machine and index of its connection: whether it is connected. */
const NicsSchema = z.record(z.string(), z.boolean());

/** Cloud Director has no autostart: a vApp's start order says what starts with the vApp, and nothing starts the vApp. */
export function sourcesFacet(session: Session): Sources {
  return {
    settings: async (id, signal) => settingsOf(await readSource(session, id, signal)),
    async set(id, setting, value, signal) {
      const source = await readSource(session, id, signal);
      if (setting === 'name') await rename(session, source, value, signal);
      else if (setting === 'nics') await setNics(session, source, value, signal);
      else
        throw new Fault(
          'cloud.unsupported',
          `${session.who}: ${what(source)} has no setting ${setting satisfies SettingName}`,
        );
    },
    discard: (id, version, signal) => discard(session, id, version, signal),
  };
}

function what({ name, id }: Source): string {
  return `"${name}" (${id})`;
}

function settingsOf(source: Source): SourceSettings {
  const states = connectionStates(source);
  const name = source.name;
  if (states.size === 0 || source.kind === 'template') return { name };
  const on = [...states.values()].some((connected) => connected);
  return { name, nics: on ? JSON.stringify(Object.fromEntries(states)) : OFF };
}

function connectionStates({ machines }: Source): Map<string, boolean> {
  const states = machines.flatMap((vm) =>
    connectionsOf(vm).map((nic) => [keyOf(vm, nic), textAt(nic, 'IsConnected') === 'true'] as const),
  );
  return new Map(states);
}

function keyOf(vm: XmlElement, nic: XmlElement): string {
  return `${urnOf('vm', vm.attributes.href ?? '')}/${numberAt(nic, 'NetworkConnectionIndex') ?? 0}`;
}

async function rename(session: Session, source: Source, name: string, signal: AbortSignal): Promise<void> {
  const { kind, href, holder, machines } = source;
  if (source.name === name) return;
  const description = (element: XmlElement) => child(element, 'Description')?.text ?? '';
  if (kind === 'template') return renameTemplate(session, href, name, description(holder), signal);
  if (kind === 'vapp') return renameVapp(session, href, name, description(holder), signal);
  for (const vm of machines) await reconfigure(session, vm, name, [], signal);
}

async function setNics(session: Session, source: Source, value: string, signal: AbortSignal): Promise<void> {
  const states = connectionStates(source);
  const wanted = new Map(
    value === OFF ? [...states.keys()].map((key) => [key, false]) : Object.entries(NicsSchema.parse(JSON.parse(value))),
  );
  const gone = [...wanted.keys()].find((key) => !states.has(key));
  if (gone !== undefined) {
    throw new Fault('object.changed', `${session.who}: ${what(source)} has no adapter ${gone} any more`);
  }
  for (const vm of source.machines) {
    const section = child(vm, 'NetworkConnectionSection');
    const differs = connectionsOf(vm).some(
      (nic) => wanted.has(keyOf(vm, nic)) && wanted.get(keyOf(vm, nic)) !== states.get(keyOf(vm, nic)),
    );
    if (section === undefined || !differs) continue;
    const children = section.children
      .filter(({ name }) => name !== 'Link')
      .map((one) => (one.name === 'NetworkConnection' ? withState(one, wanted.get(keyOf(vm, one))) : one));
    await reconfigure(
      session,
      vm,
      vm.attributes.name ?? '',
      [rewrite({ ...section, attributes: {}, children })],
      signal,
    );
  }
}

function withState(nic: XmlElement, connected: boolean | undefined): XmlElement {
  if (connected === undefined) return nic;
  const children = nic.children.map((one) => (one.name === 'IsConnected' ? { ...one, text: String(connected) } : one));
  return { ...nic, children };
}

/**
 * A VM is removed out of its vApp, which stays, empty where it was the last. Tasks of a vApp or VM are somebody's: none is
 * ended, also not one that began while the version was read.
 */
async function discard(session: Session, id: string, version: string, signal: AbortSignal): Promise<void> {
  const source = await sourceIfThere(session, id, signal);
  if (source === null) return;
  requireFree(session, source);
  if ((await versionOf(session, source, signal)) !== version) {
    throw new Fault('object.changed', `${session.who}: ${what(source)} was changed since and was not removed`);
  }
  const { href } = locate(session, id);
  if (source.kind === 'template') return deleteEntity(session, href, signal);
  const now = await sourceIfThere(session, id, signal);
  if (now === null) return;
  requireFree(session, now);
  await deleteAsRead(session, href, now.kind === 'vm' ? now.machines[0]! : now.holder, signal);
}

/** Faults: `object.in-use`, `object.busy`. */
function requireFree(session: Session, source: Source): void {
  const { kind, holder, machines } = source;
  if (kind === 'template') return;
  if (!(kind === 'vm' ? machines : [holder]).every(isOff)) {
    throw new Fault('object.in-use', `${session.who}: ${what(source)} is not off and was not removed`);
  }
  if ([holder, ...machines].flatMap(tasksOf).some(isOpen)) {
    throw new Fault('object.busy', `${session.who}: ${what(source)} has a task under way and was not removed`);
  }
}
