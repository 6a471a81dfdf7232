/** OVF packages as vSphere writes them, written out by hand here so that Cloudspan's own writer has no part in them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

export interface PackagedDisk {
  /** A stream-optimized VMDK in the package's folder. */
  file: string;
  capacityBytes: number;
}

export interface PackagedMachine {
  name: string;
  disks: PackagedDisk[];
}

export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Writes `<name>.ovf` and `<name>.mf` beside the disks; one machine makes a VirtualSystem, more make a vApp of them. */
export async function writePackage(folder: string, name: string, machines: PackagedMachine[]): Promise<string> {
  const disks = machines.flatMap((machine) => machine.disks);
  const ids = new Map(disks.map((disk, index) => [disk, index + 1]));
  const files: string[] = [];
  const descriptions: string[] = [];
  for (const [disk, id] of ids) {
    const { size } = await stat(join(folder, disk.file));
    files.push(`<File ovf:id="file${id}" ovf:href="${disk.file}" ovf:size="${size}"/>`);
    descriptions.push(
      `<Disk ovf:diskId="vmdisk${id}" ovf:fileRef="file${id}" ovf:capacity="${disk.capacityBytes}"` +
        ' ovf:capacityAllocationUnits="byte"' +
        ' ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>',
    );
  }
  const systems = machines.map((machine) => system(machine, ids));
  const content =
    systems.length === 1
      ? systems[0]
      : `<VirtualSystemCollection ovf:id="${name}"><Info>Several machines</Info><Name>${name}</Name>
  ${systems.join('\n  ')}
  </VirtualSystemCollection>`;
  const text = `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <References>${files.join('')}</References>
  <DiskSection><Info>The disks</Info>${descriptions.join('')}</DiskSection>
  <NetworkSection><Info>The networks</Info><Network ovf:name="VM Network"/></NetworkSection>
  ${content}
</Envelope>
`;
  const descriptor = join(folder, `${name}.ovf`);
  await writeFile(descriptor, text);
  const named = [`${name}.ovf`, ...disks.map((disk) => disk.file)];
  const lines = await Promise.all(named.map(async (file) => `SHA256(${file})= ${await sha256(join(folder, file))}`));
  await writeFile(join(folder, `${name}.mf`), `${lines.join('\n')}\n`);
  return descriptor;
}

function system(machine: PackagedMachine, ids: ReadonlyMap<PackagedDisk, number>): string {
  const drives = machine.disks.map((disk, unit) =>
    item(10 + unit, 17, `Hard disk ${unit + 1}`, {
      AddressOnParent: String(unit),
      HostResource: `ovf:/disk/vmdisk${ids.get(disk)}`,
      Parent: '3',
    }),
  );
  return `<VirtualSystem ovf:id="${machine.name}"><Info>A machine</Info><Name>${machine.name}</Name>
  <OperatingSystemSection ovf:id="101"><Info>Linux</Info></OperatingSystemSection>
  <VirtualHardwareSection><Info>Hardware</Info>
    <System><vssd:ElementName>Hardware</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID>
      <vssd:VirtualSystemIdentifier>${machine.name}</vssd:VirtualSystemIdentifier>
      <vssd:VirtualSystemType>vmx-15</vssd:VirtualSystemType></System>
    ${item(1, 3, '1 virtual CPU', { AllocationUnits: 'hertz * 10^6', VirtualQuantity: '1' })}
    ${item(2, 4, '128 MB of memory', { AllocationUnits: 'byte * 2^20', VirtualQuantity: '128' })}
    ${item(3, 6, 'SCSI controller 0', { Address: '0', ResourceSubType: 'VirtualSCSI' })}
    ${drives.join('\n    ')}
    ${item(30, 10, 'Network adapter 1', { AddressOnParent: '7', AutomaticAllocation: 'true', Connection: 'VM Network', ResourceSubType: 'VmxNet3' })}
  </VirtualHardwareSection></VirtualSystem>`;
}

/** CIM wants the elements in the order of their names. */
function item(id: number, resourceType: number, name: string, rest: Record<string, string>): string {
  const all = { ElementName: name, InstanceID: String(id), ResourceType: String(resourceType), ...rest };
  const elements = Object.entries(all)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `<rasd:${key}>${value}</rasd:${key}>`);
  return `<Item>${elements.join('')}</Item>`;
}
