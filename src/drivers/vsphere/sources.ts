import { z } from 'zod';
import { Fault } from '../../model/fault.ts';
import { OFF, type SettingName, type SourceSettings } from '../../model/setting.ts';
import type { Sources } from '../driver.ts';
import { destroyPackage } from './attempts.ts';
import { autostartOf, setAutostart } from './autostart.ts';
import { isDisk, isNic, keyOf } from './devices.ts';
import { isShared } from './disk-checks.ts';
import { child, childrenOf, type Element, flagOf, textOf } from './element.ts';
import { isVimFault, toFault } from './faults.ts';
import { put } from './import-spec.ts';
import type { VsphereInventory } from './inventory.ts';
import { encodeName } from './names.ts';
import { packageIfThere, readPackage, type SourceMachine, type SourcePackage } from './package.ts';
import type { Session } from './session.ts';
import { element, groupElement, leaf, leafElement, written } from './soap.ts';
import { runTask } from './tasks.ts';

/** Members of VirtualEthernetCard up to those that matter here, in the order of the schema. */
const CARD_ORDER = ['key', 'deviceInfo', 'backing', 'connectable'];

/** By machine and key of the device: whether an adapter is connected when the machine starts. */
const NicsSchema = z.record(z.string(), z.boolean());

export function vsphereSources(session: Session, inventory: VsphereInventory): Sources {
  const attempt = async <T>(id: string, what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (isVimFault(error, 'DuplicateName')) {
        throw new Fault('object.exists', `${session.who}: ${what} of ${id}: the name is taken in its folder`, {
          cause: error,
          remedy: 'Rename or remove what has the name now.',
        });
      }
      throw toFault(error, session.who, `${what} of ${id}`);
    }
  };
  return {
    async settings(id, signal) {
      const source = await readPackage(session, inventory, id, signal);
      return attempt(id, 'reading the settings', signal, () => settingsOf(session, source, signal));
    },
    async set(id, setting, value, signal) {
      const source = await readPackage(session, inventory, id, signal);
      await attempt(id, `changing ${setting}`, signal, () => change(session, source, setting, value, signal));
    },
    discard: (id, version, signal) => discard(session, inventory, id, version, signal),
  };
}

async function settingsOf(session: Session, source: SourcePackage, signal: AbortSignal): Promise<SourceSettings> {
  const { description, machines } = source;
  const autostart = description.kind === 'template' ? undefined : await autostartOf(session, machines, signal);
  const cards = machines.flatMap((machine) => cardsOf(machine).map((card) => [machine, card] as const));
  const on = cards.some(([, card]) => isConnected(card));
  const states = Object.fromEntries(cards.map(([machine, card]) => [idOf(machine, card), isConnected(card)]));
  return {
    name: description.name,
    // A template is never started as it is.
    ...(cards.length === 0 || description.kind === 'template' ? {} : { nics: on ? JSON.stringify(states) : OFF }),
    ...(autostart === undefined ? {} : { autostart }),
  };
}

function cardsOf({ config }: SourceMachine): Element[] {
  return childrenOf(child(config, 'hardware'), 'device').filter(isNic);
}

function idOf({ ref }: SourceMachine, card: Element): string {
  return `${ref.id}/${keyOf(card)}`;
}

function isConnected(card: Element): boolean {
  return flagOf(card, 'connectable', 'startConnected') ?? true;
}

async function change(
  session: Session,
  source: SourcePackage,
  setting: SettingName,
  value: string,
  signal: AbortSignal,
): Promise<void> {
  if (setting === 'autostart') return setAutostart(session, source.machines, value, signal);
  if (setting === 'nics') return setNics(session, source, value, signal);
  if (source.description.name === value) return;
  await runTask(session, 'Rename_Task', source.ref, signal, leaf('newName', encodeName(value)));
}

async function setNics(session: Session, source: SourcePackage, value: string, signal: AbortSignal): Promise<void> {
  const wanted = value === OFF ? undefined : NicsSchema.parse(JSON.parse(value));
  const known = new Set(source.machines.flatMap((machine) => cardsOf(machine).map((card) => idOf(machine, card))));
  const gone = Object.keys(wanted ?? {}).find((id) => !known.has(id));
  if (gone !== undefined) {
    throw new Fault('object.changed', `${session.who}: "${source.description.name}" has no adapter ${gone} any more`);
  }
  for (const machine of source.machines) {
    const changes = cardsOf(machine).flatMap((card) => {
      const connected = wanted === undefined ? false : wanted[idOf(machine, card)];
      return connected === undefined || connected === isConnected(card) ? [] : [cardChange(card, connected)];
    });
    if (changes.length === 0) continue;
    const spec = element('spec', ...changes.map((one) => written(one)));
    await runTask(session, 'ReconfigVM_Task', machine.ref, signal, spec);
  }
}

function cardChange(card: Element, startConnected: boolean): Element {
  const changed: Element = { ...card, name: 'device', children: [...card.children] };
  const members = [
    leafElement('startConnected', startConnected),
    leafElement('allowGuestControl', flagOf(card, 'connectable', 'allowGuestControl') ?? true),
    leafElement('connected', false),
  ];
  put(changed, groupElement('connectable', members), CARD_ORDER);
  return groupElement('deviceChange', [leafElement('operation', 'edit'), changed]);
}

async function discard(
  session: Session,
  inventory: VsphereInventory,
  id: string,
  version: string,
  signal: AbortSignal,
): Promise<void> {
  const source = await packageIfThere(session, inventory, id, signal);
  if (source === null) return;
  const what = `${session.who}: "${source.description.name}" (${id})`;
  if (source.version !== version) throw new Fault('object.changed', `${what} was changed since and was not removed`);
  const shared = source.machines.flatMap(sharedDisksOf);
  if (shared.length > 0) {
    throw new Fault(
      'object.in-use',
      `${what} has ${shared.join(', ')}, which other machines share: it was not removed`,
      {
        remedy: 'Detach the shared disk first: with the machine it would be destroyed for the others too.',
      },
    );
  }
  await destroyPackage(session, source, id, signal);
}

function sharedDisksOf({ config }: SourceMachine): string[] {
  const devices = childrenOf(child(config, 'hardware'), 'device');
  const shared = devices.filter((device) => isDisk(device) && isShared(device, devices));
  return shared.map((disk) => `"${textOf(disk, 'deviceInfo', 'label') ?? 'a disk'}"`);
}
