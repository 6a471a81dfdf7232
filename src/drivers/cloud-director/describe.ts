import { Fault } from '../../model/fault.ts';
import type { MachineDescription, PackageDescription, StartOrderEntry } from '../../model/machine.ts';
import type { OvfPackage } from '../../ovf/descriptor/package.ts';
import { readDescriptor } from '../../ovf/descriptor/read.ts';
import { UUID_KEY } from './descriptor.ts';
import { firmwareOf, machineOf } from './hardware.ts';
import type { Session } from './session.ts';
import type { Source } from './source.ts';
import { at, child, childrenOf, linkOf, textAt, type XmlElement } from './xml.ts';

/**
 * The package in the model's words. The vApp's or template's own document says most of it; firmware (before API 37.1),
 * boot order, properties, licenses and further configuration are only in the OVF descriptor, so they are missing where
 * `ovf` is null. The BIOS UUID stands in the staged identity form only: it is left out, so that what is described is
 * what leaves.
 */
export function describeSource(source: Source, ovf: OvfPackage | null): PackageDescription {
  const ids = idsOf(source.machines);
  const machines = source.machines.map((vm, index) => complete(vm, ids[index] ?? String(index), index, source, ovf));
  const used = new Set(machines.flatMap(({ nics }) => nics.flatMap(({ network }) => network ?? [])));
  const single = source.kind === 'vm';
  return {
    kind: source.kind,
    name: source.name,
    notes: single ? (machines[0]?.notes ?? '') : (child(source.holder, 'Description')?.text ?? ''),
    machines,
    networks: [...used].map((name) => ({ name, ...descriptionOf(source.holder, ovf, name) })),
    startOrder: single ? [] : startOrderOf(source, ids, ovf),
    properties: single ? [] : (ovf?.description.properties ?? []),
    eulas: ovf?.description.eulas ?? [],
  };
}

/** The descriptor as it is shown without staging a download; null where the cloud does not give it (a running vApp). */
export async function readPlainDescriptor(
  session: Session,
  source: Source,
  signal: AbortSignal,
): Promise<OvfPackage | null> {
  const href = linkOf(source.holder, 'ovf') ?? `${source.href}/ovf`;
  try {
    return readDescriptor(
      Buffer.from(await session.readText(href, `read the descriptor of "${source.name}"`, signal, '*/*')),
    );
  } catch (error) {
    if (!(error instanceof Fault) || !NOT_GIVEN.has(error.code)) throw error;
    session.log.warn(
      `${session.who}: there is no descriptor of "${source.name}" now; firmware and properties may be missing`,
      {
        fault: error.code,
      },
    );
    return null;
  }
}

const NOT_GIVEN = new Set(['object.missing', 'object.busy', 'auth.forbidden', 'cloud.failed', 'ovf.invalid']);

/** VM names are unique inside of a vApp as a rule, not by law: a second one of the same name gets a number. */
function idsOf(machines: readonly XmlElement[]): string[] {
  const seen = new Map<string, number>();
  return machines.map(({ attributes }, index) => {
    const name = attributes.name ?? `vm-${index}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  });
}

/** The machine of the descriptor that is this VM: by its scoped id or name, else by its place. */
export function systemOf(
  vm: XmlElement,
  index: number,
  source: Source,
  ovf: OvfPackage,
): MachineDescription | undefined {
  const { machines } = ovf.description;
  const scoped = textAt(vm, 'VAppScopedLocalId');
  const named = machines.filter(({ name }) => name === vm.attributes.name);
  return (
    machines.find(({ id }) => id === scoped) ??
    machines.find(({ id }) => id === vm.attributes.name) ??
    (named.length === 1 ? named[0] : undefined) ??
    (machines.length === source.machines.length ? machines[index] : undefined)
  );
}

function complete(
  vm: XmlElement,
  id: string,
  index: number,
  source: Source,
  ovf: OvfPackage | null,
): MachineDescription {
  const machine = machineOf(vm, id);
  const system = ovf === null ? undefined : systemOf(vm, index, source, ovf);
  if (system === undefined) return machine;
  const { bootOrder, properties, eulas } = system;
  const { [UUID_KEY]: _, ...extras } = system.extras;
  const secureBoot = machine.secureBoot ?? system.secureBoot;
  return {
    ...machine,
    firmware: firmwareOf(vm) ?? system.firmware,
    ...(secureBoot === undefined ? {} : { secureBoot }),
    bootOrder,
    properties,
    eulas,
    extras,
  };
}

function descriptionOf(holder: XmlElement, ovf: OvfPackage | null, name: string): { description?: string } {
  const configured = childrenOf(child(holder, 'NetworkConfigSection'), 'NetworkConfig').find(
    ({ attributes }) => attributes.networkName === name,
  );
  const text =
    textAt(configured, 'Description') ||
    ovf?.description.networks.find((network) => network.name === name)?.description;
  return text ? { description: text } : {};
}

function startOrderOf(source: Source, ids: readonly string[], ovf: OvfPackage | null): StartOrderEntry[] {
  const items = childrenOf(at(source.holder, 'ovf:StartupSection'), 'ovf:Item').map(({ attributes }) => attributes);
  const byId = (id: string | undefined) => {
    const index = source.machines.findIndex(
      (vm) => vm.attributes.name === id || textAt(vm, 'VAppScopedLocalId') === id,
    );
    return ids[index];
  };
  if (items.length === 0) {
    return (ovf?.description.startOrder ?? []).flatMap((entry) => {
      const machine = byId(entry.machine);
      return machine === undefined ? [] : [{ ...entry, machine }];
    });
  }
  return items.flatMap((item) => {
    const machine = byId(item['ovf:id']);
    if (machine === undefined) return [];
    return [
      {
        machine,
        order: Number(item['ovf:order'] ?? 0),
        startAction: item['ovf:startAction'] === 'none' ? ('none' as const) : ('powerOn' as const),
        startDelaySeconds: Number(item['ovf:startDelay'] ?? 0),
        stopAction: stopActionOf(item['ovf:stopAction']),
        stopDelaySeconds: Number(item['ovf:stopDelay'] ?? 0),
      },
    ];
  });
}

function stopActionOf(text: string | undefined): StartOrderEntry['stopAction'] {
  return text === 'guestShutdown' || text === 'none' ? text : 'powerOff';
}
