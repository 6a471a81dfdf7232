import type { MachineDescription, NicKind, OvfProperty, PackageDescription } from '../../model/machine.ts';
import { writeManifest } from '../../ovf/descriptor/manifest.ts';
import { writeDescriptor } from '../../ovf/descriptor/write.ts';
import type { ImportRequest } from '../driver.ts';
import { type EncodedDisk, roundedCapacity } from './encoded-disk.ts';
import { adapterOf } from './hardware.ts';

/** Where the identity form of a descriptor keeps the BIOS UUID, as the OVF reader calls it. */
export const UUID_KEY = 'extraConfig.uuid.bios';

/**
 * The package as it is built here: disks in whole MiB, controllers and NICs of kinds that Cloud Director has, MAC
 * addresses and UUIDs only where they are kept, values for OVF properties filled in, the chosen hardware version.
 */
export function preparePackage(request: ImportRequest, hardwareVersion: string | undefined): PackageDescription {
  const { description, properties } = request;
  return {
    ...description,
    name: request.name,
    properties: filled(description.properties, properties),
    machines: description.machines.map((machine) => prepareMachine(machine, request, hardwareVersion)),
  };
}

function prepareMachine(
  machine: MachineDescription,
  request: ImportRequest,
  hardwareVersion: string | undefined,
): MachineDescription {
  const { uuid, ...rest } = machine;
  const { [UUID_KEY]: _, ...extras } = machine.extras;
  const kept = request.keepUuid && uuid !== undefined ? uuid : undefined;
  return {
    ...rest,
    ...(hardwareVersion === undefined ? {} : { hardwareVersion }),
    ...(kept === undefined ? {} : { uuid: kept }),
    extras: kept === undefined ? extras : { ...extras, [UUID_KEY]: kept },
    properties: filled(machine.properties, request.properties),
    controllers: machine.controllers.map((one) => (one.kind === 'virtio-scsi' ? { ...one, kind: 'pvscsi' } : one)),
    disks: machine.disks.map((disk) => ({ ...disk, capacityBytes: roundedCapacity(disk.capacityBytes) })),
    nics: machine.nics.map(({ mac, ...nic }) => ({
      ...nic,
      kind: adapterOf(nic.kind).exact ? nic.kind : ('vmxnet3' satisfies NicKind),
      ...(request.keepMac && mac !== undefined ? { mac } : {}),
    })),
  };
}

function filled(all: OvfProperty[], values: Readonly<Record<string, string>>): OvfProperty[] {
  return all.map((property) => {
    const value = values[property.key];
    return value === undefined ? property : { ...property, value };
  });
}

/** The descriptor of an upload. The same package, names and sizes give the same text. */
export function descriptorFor(
  description: PackageDescription,
  disks: readonly EncodedDisk[],
  sizes: ReadonlyMap<string, number>,
): string {
  const files = new Map(
    disks.map(({ disk, fileName }) => {
      const sizeBytes = sizes.get(fileName);
      return [disk.id, { href: fileName, ...(sizeBytes === undefined ? {} : { sizeBytes }) }];
    }),
  );
  return writeDescriptor(description, { dialect: 'cloud-director', files, identity: true });
}

export function manifestOf(lines: readonly (readonly [name: string, sha256: string])[]): string {
  return writeManifest(lines);
}
