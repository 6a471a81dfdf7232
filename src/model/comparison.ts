import type { MachineDescription, PackageDescription } from './machine.ts';

/** A field that did not arrive as it left. */
export interface Difference {
  /** `web-01: NIC 1 kind`. */
  field: string;
  left: string;
  arrived: string;
  /** `expected` where the request or a new identity explains it, `lost` otherwise. */
  nature: 'expected' | 'lost';
}

/** What the request itself changes, so that it is not reported as lost. */
export interface Expectations {
  name: string;
  keepMac: boolean;
  keepUuid: boolean;
  /** By network name of the source: name of the network at the destination, or null for disconnected. */
  networks: Record<string, string | null>;
  /** Values given for OVF properties. */
  properties: Record<string, string>;
}

type Report = (field: string, left: unknown, arrived: unknown, nature?: Difference['nature']) => void;

/**
 * Compares what left and what arrived field by field. Machines are matched by position of equal name, else by order.
 * The list is empty when everything was carried.
 */
export function compareDescriptions(
  left: PackageDescription,
  arrived: PackageDescription,
  expected: Expectations,
): Difference[] {
  const differences: Difference[] = [];
  const report: Report = (field, a, b, nature = 'lost') => {
    const [leftText, arrivedText] = [text(a), text(b)];
    if (leftText !== arrivedText) differences.push({ field, left: leftText, arrived: arrivedText, nature });
  };
  report('kind', left.kind, arrived.kind, 'expected');
  report('name', left.name, arrived.name, 'expected');
  if (left.kind === arrived.kind) report('notes', left.notes, arrived.notes);
  report('number of machines', left.machines.length, arrived.machines.length);
  const rest = [...arrived.machines];
  for (const machine of left.machines) {
    const found = rest.findIndex((other) => other.name === machine.name);
    const other = rest.splice(Math.max(found, 0), 1)[0];
    if (other === undefined) report(machine.name, 'present', 'missing');
    else compareMachines(machine, other, expected, left.machines.length === 1, report);
  }
  compareFiles(left, arrived, report);
  if (left.machines.length > 1) compareStartOrder(left, arrived, report);
  compareProperties('vApp', left, arrived, expected, report);
  return differences;
}

function compareMachines(
  left: MachineDescription,
  arrived: MachineDescription,
  expected: Expectations,
  only: boolean,
  report: Report,
): void {
  const at = (field: string) => `${left.name}: ${field}`;
  report(at('name'), left.name, arrived.name, only ? 'expected' : 'lost');
  report(at('notes'), left.notes.trim(), arrived.notes.trim());
  report(at('guest id'), left.guestId, arrived.guestId);
  report(at('hardware version'), left.hardwareVersion, arrived.hardwareVersion);
  report(at('CPUs'), left.cpus, arrived.cpus);
  report(at('cores per socket'), left.coresPerSocket, arrived.coresPerSocket);
  report(at('memory (MiB)'), left.memoryMib, arrived.memoryMib);
  report(at('firmware'), left.firmware, arrived.firmware);
  report(at('secure boot'), left.secureBoot ?? false, arrived.secureBoot ?? false);
  report(at('boot order'), left.bootOrder, arrived.bootOrder);
  report(at('UUID'), left.uuid, arrived.uuid, expected.keepUuid ? 'lost' : 'expected');
  const used = (machine: MachineDescription) =>
    machine.controllers.filter((controller) => machine.disks.some((disk) => disk.controller === controller.id));
  report(
    at('controllers'),
    used(left)
      .map((c) => `${c.kind}:${c.bus}`)
      .sort(),
    used(arrived)
      .map((c) => `${c.kind}:${c.bus}`)
      .sort(),
  );
  compareDisks(left, arrived, at, report);
  compareNics(left, arrived, expected, at, report);
  compareProperties(left.name, left, arrived, expected, report);
  for (const [key, value] of Object.entries(left.extras)) report(at(key), value, arrived.extras[key]);
}

function compareDisks(
  left: MachineDescription,
  arrived: MachineDescription,
  at: (field: string) => string,
  report: Report,
): void {
  report(at('number of disks'), left.disks.length, arrived.disks.length);
  const place = (machine: MachineDescription, index: number) => {
    const disk = machine.disks[index];
    const controller = machine.controllers.find((one) => one.id === disk?.controller);
    return `${controller?.kind ?? 'none'}:${controller?.bus ?? 0}:${disk?.unit}`;
  };
  for (const [index, disk] of left.disks.entries()) {
    const other = arrived.disks[index];
    if (other === undefined) continue;
    const rounded = other.capacityBytes === Math.ceil(disk.capacityBytes / 1048576) * 1048576;
    report(at(`disk ${index} capacity`), disk.capacityBytes, other.capacityBytes, rounded ? 'expected' : 'lost');
    report(at(`disk ${index} controller, bus and unit`), place(left, index), place(arrived, index));
  }
}

function compareNics(
  left: MachineDescription,
  arrived: MachineDescription,
  expected: Expectations,
  at: (field: string) => string,
  report: Report,
): void {
  report(at('number of NICs'), left.nics.length, arrived.nics.length);
  for (const [index, nic] of left.nics.entries()) {
    const other = arrived.nics[index];
    if (other === undefined) continue;
    report(at(`NIC ${index} kind`), nic.kind, other.kind);
    const target = nic.network === null ? null : (expected.networks[nic.network] ?? null);
    report(at(`NIC ${index} network`), target, other.network);
    report(at(`NIC ${index} connected`), nic.connected, other.connected, target === null ? 'expected' : 'lost');
    if (nic.mac !== undefined)
      report(at(`NIC ${index} MAC`), nic.mac, other.mac, expected.keepMac ? 'lost' : 'expected');
  }
}

/** Names of files are of the clouds' own; by position. */
function compareFiles(left: PackageDescription, arrived: PackageDescription, report: Report): void {
  const [files = [], others = []] = [left.files, arrived.files];
  report('number of files', files.length, others.length);
  for (const [index, file] of files.entries()) {
    const other = others[index];
    if (other !== undefined) report(`${file.path}: bytes`, file.bytes, other.bytes);
  }
}

function compareStartOrder(left: PackageDescription, arrived: PackageDescription, report: Report): void {
  const rows = (description: PackageDescription) => {
    const names = new Map(description.machines.map((machine) => [machine.id, machine.name]));
    return [...description.startOrder]
      .sort((a, b) => a.order - b.order)
      .map(
        (e) =>
          `${names.get(e.machine) ?? e.machine}:${e.startAction}:${e.startDelaySeconds}:${e.stopAction}:${e.stopDelaySeconds}`,
      );
  };
  report('start order', rows(left), rows(arrived));
}

type WithProperties = Pick<PackageDescription, 'properties' | 'eulas'>;

function compareProperties(
  owner: string,
  left: WithProperties,
  arrived: WithProperties,
  expected: Expectations,
  report: Report,
): void {
  for (const property of left.properties) {
    const other = arrived.properties.find((one) => one.key === property.key && one.classId === property.classId);
    const given = expected.properties[property.key];
    const shown = (value: string | undefined) =>
      property.password === true && value !== undefined ? '(secret)' : value;
    if (property.password === true && other !== undefined && (given ?? property.value) !== other.value) {
      report(`${owner}: OVF property ${property.key}`, '(secret)', 'another secret');
    } else {
      report(
        `${owner}: OVF property ${property.key}`,
        shown(given ?? property.value) ?? '',
        other === undefined ? undefined : (shown(other.value) ?? ''),
      );
    }
  }
}

function text(value: unknown): string {
  if (value === undefined || value === null) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
