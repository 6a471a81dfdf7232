import { describe, expect, test } from 'vitest';
import type { MachineDescription, PackageDescription } from '../../model/machine.ts';
import { readDescriptor } from './read.ts';
import { writeDescriptor } from './write.ts';

const web: MachineDescription = {
  id: 'web-01',
  name: 'web 01 & "friends" <prod>',
  notes: 'first line\n  second line, ümläut\n',
  guestId: 'debian12_64Guest',
  hardwareVersion: 'vmx-19',
  cpus: 4,
  coresPerSocket: 2,
  memoryMib: 3000,
  firmware: 'efi',
  secureBoot: true,
  controllers: [
    { id: 'pvscsi-0', kind: 'pvscsi', bus: 0 },
    { id: 'lsilogic-sas-1', kind: 'lsilogic-sas', bus: 1 },
    { id: 'sata-0', kind: 'sata', bus: 0 },
    { id: 'nvme-0', kind: 'nvme', bus: 0 },
    { id: 'ide-1', kind: 'ide', bus: 1 },
  ],
  disks: [
    { id: 'web-01/disk-0', label: 'Hard disk 1', capacityBytes: 10 * 2 ** 30 + 512, controller: 'pvscsi-0', unit: 0 },
    {
      id: 'web-01/disk-1',
      label: 'Hard disk 2',
      capacityBytes: 512,
      usedBytes: 77,
      controller: 'lsilogic-sas-1',
      unit: 15,
    },
    { id: 'web-01/disk-2', label: 'Hard disk 3', capacityBytes: 2 ** 40, controller: 'nvme-0', unit: 3 },
  ],
  nics: [
    { label: 'Network adapter 1', kind: 'vmxnet3', mac: '00:50:56:01:00:0a', network: 'front / net', connected: true },
    { label: 'Network adapter 2', kind: 'e1000e', mac: '00:50:56:01:00:0b', network: null, connected: false },
    { label: 'Network adapter 3', kind: 'e1000', mac: '00:50:56:01:00:0c', network: 'back', connected: false },
  ],
  bootOrder: ['network', 'disk', 'cdrom'],
  uuid: '423e0f3b-0000-4000-8000-000000000001',
  properties: [
    {
      key: 'hostname',
      type: 'string',
      value: 'web "01"\nx',
      label: 'Name',
      description: 'Its name',
      userConfigurable: true,
    },
    { classId: 'db', instanceId: '1', key: 'secret', type: 'string', userConfigurable: false, password: true },
  ],
  eulas: ['You may\n\n  not.'],
  extras: {
    cpuHotAddEnabled: 'true',
    'ovf.transport': 'com.vmware.guestInfo',
    'extraConfig.disk.EnableUUID': 'TRUE',
    'product.Product': 'Shop',
    'product.Version': '2',
  },
};
const db: MachineDescription = {
  ...web,
  id: 'db-01',
  name: 'db-01',
  notes: '',
  firmware: 'bios',
  disks: [{ id: 'db-01/disk-0', label: 'Hard disk 1', capacityBytes: 3 * 512, controller: 'sata-0', unit: 2 }],
  nics: [{ label: 'Network adapter 1', kind: 'pcnet32', network: 'back', connected: true }],
  bootOrder: [],
  properties: [],
  eulas: [],
  extras: {},
};
const networks = [
  { name: 'front / net', description: 'The front' },
  { name: 'back', description: 'The back' },
];
const vm: PackageDescription = {
  kind: 'vm',
  name: web.name,
  notes: web.notes,
  machines: [web],
  networks,
  startOrder: [],
  properties: [],
  eulas: [],
};
const vapp: PackageDescription = {
  kind: 'vapp',
  name: 'shop',
  notes: 'two machines',
  machines: [web, db],
  networks,
  startOrder: [
    {
      machine: 'db-01',
      order: 0,
      startAction: 'powerOn',
      startDelaySeconds: 30,
      stopAction: 'guestShutdown',
      stopDelaySeconds: 60,
    },
    {
      machine: 'web-01',
      order: 1,
      startAction: 'none',
      startDelaySeconds: 0,
      stopAction: 'powerOff',
      stopDelaySeconds: 0,
    },
  ],
  properties: [{ key: 'zone', type: 'string', value: 'a', userConfigurable: true }],
  eulas: ['All of it.'],
};
const files = new Map([
  ['web-01/disk-0', { href: 'disk-1.vmdk', sizeBytes: 12_345 }],
  ['web-01/disk-1', { href: 'disk 2.vmdk' }],
  ['db-01/disk-0', { href: 'disk-4.vmdk', sizeBytes: 1 }],
]);

const read = (text: string) => readDescriptor(Buffer.from(text));

describe('a description that is written and read again is the same', () => {
  for (const dialect of ['vsphere', 'cloud-director'] as const) {
    for (const description of [vm, vapp]) {
      test(`for ${dialect}, as a ${description.kind}`, () => {
        const text = writeDescriptor(description, { dialect, files, identity: true });
        const back = read(text);
        const expected = structuredClone(description);
        for (const nic of expected.machines.flatMap((machine) => machine.nics)) {
          if (dialect === 'cloud-director') nic.ip = { mode: nic.network === null ? 'none' : 'dhcp' };
        }
        expect(back.description).toEqual(expected);
        expect(back.notCarried).toEqual([]);
        expect(back.disks.map(({ disk, file }) => [disk, file?.path, file?.sizeBytes])).toEqual(
          description.machines.flatMap((machine) =>
            machine.disks.map(({ id }) => [id, files.get(id)?.href, files.get(id)?.sizeBytes]),
          ),
        );
      });
    }
  }
});

test('without identity neither MAC addresses nor UUIDs are written', () => {
  const text = writeDescriptor(vapp, { dialect: 'vsphere', files });
  expect(text).not.toMatch(/00:50:56|423e0f3b/);
});

test('a manual address goes to Cloud Director and its adapters without a network go to "none"', () => {
  const machine: MachineDescription = structuredClone(web);
  machine.nics[0]!.ip = { mode: 'manual', address: '10.1.1.5' };
  const text = writeDescriptor({ ...vm, machines: [machine] }, { dialect: 'cloud-director', files });
  expect(text).toContain(
    'vcloud:ipAddressingMode="MANUAL" vcloud:ipAddress="10.1.1.5" vcloud:primaryNetworkConnection="true"',
  );
  expect(text).toContain('<Network ovf:name="none">');
  expect(text).toContain('>VMXNET3<');
  expect(read(text).description.machines[0]!.nics[0]!.ip).toEqual({ mode: 'manual', address: '10.1.1.5' });
});

test('characters that XML cannot hold do not break the descriptor', () => {
  const name = 'a\u0000b\ud800c\uffff]]>';
  const text = writeDescriptor({ ...vm, machines: [{ ...web, name }] }, { dialect: 'vsphere', files });
  expect(read(text).description.machines[0]!.name).toBe('a\ufffdb\ufffdc\ufffd]]>');
});

const envelope = (inner: string, before = ''): string => `<?xml version="1.0"?>${before}
<o:Envelope xmlns:o="http://schemas.dmtf.org/ovf/envelope/1" xmlns:vmw="http://www.vmware.com/schema/ovf"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">${inner}</o:Envelope>`;
const item = (fields: Record<string, string | number>, attributes = ''): string =>
  `<o:Item ${attributes}>${Object.entries(fields)
    .map(([name, value]) => `<rasd:${name}>${value}</rasd:${name}>`)
    .join('')}</o:Item>`;
const cpuAndMemory =
  item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 1 }) +
  item({ InstanceID: 2, ResourceType: 4, VirtualQuantity: 2, AllocationUnits: 'GigaBytes' });
const system = (items: string, more = ''): string =>
  `<o:VirtualSystem o:id="a"><o:Info/>${more}<o:VirtualHardwareSection><o:Info/>${cpuAndMemory}${items}</o:VirtualHardwareSection></o:VirtualSystem>`;
const oneDisk = (attributes: string, file = ''): string =>
  envelope(
    `<o:References>${file}</o:References><o:DiskSection><o:Info/><o:Disk o:diskId="d" ${attributes}/></o:DiskSection>${system(
      item({ InstanceID: 3, ResourceType: 6, ResourceSubType: 'buslogic lsilogic' }) +
        item({ InstanceID: 4, ResourceType: 17, Parent: 3, HostResource: '/disk/d' }),
      '<o:ProductSection><o:Info/><o:Property o:key="size" o:type="string" o:value="3"/></o:ProductSection>',
    )}`,
  );

test('other prefixes, units in words and short forms of references are read', () => {
  const { machines } = read(oneDisk('o:capacity="20" o:capacityAllocationUnits="byte * 2^30"')).description;
  expect(machines[0]).toMatchObject({ id: 'a', name: 'a', memoryMib: 2048, firmware: 'bios', coresPerSocket: 1 });
  expect(machines[0]!.controllers).toEqual([{ id: 'buslogic-0', kind: 'buslogic', bus: 0 }]);
  expect(machines[0]!.disks).toEqual([
    { id: 'a/disk-0', label: 'device 4', capacityBytes: 20 * 2 ** 30, controller: 'buslogic-0', unit: 0 },
  ]);
});

test('a capacity may be the value of a property', () => {
  const { machines } = read(oneDisk(`o:capacity="$\{size}" o:capacityAllocationUnits="MegaBytes"`)).description;
  expect(machines[0]!.disks[0]!.capacityBytes).toBe(3 * 2 ** 20);
});

test('the default deployment option decides; what the description cannot hold is named', () => {
  const options =
    '<o:DeploymentOptionSection><o:Info/><o:Configuration o:id="small"/><o:Configuration o:id="big" o:default="true"/></o:DeploymentOptionSection>';
  const { description, notCarried } = read(
    envelope(
      `${options}<vmw:StorageGroupSection/>${system(
        item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 2 }, 'o:configuration="small"') +
          item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 8, Reservation: 500 }, 'o:configuration="big"') +
          item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 64 }, 'o:bound="max"') +
          item({ InstanceID: 9, ResourceType: 23, ElementName: 'usb' }) +
          item({ InstanceID: 10, ResourceType: 10, ResourceSubType: 'strange', ElementName: 'nic', Connection: 'net' }),
      )}`,
    ),
  );
  expect(description.machines[0]!.cpus).toBe(8);
  expect(description.networks).toEqual([{ name: 'net' }]);
  expect(notCarried).toEqual([
    'StorageGroupSection of the package',
    expect.stringContaining('reservation 500'),
    '"usb" of "a"',
    expect.stringContaining('adapter type strange of "nic"'),
  ]);
});

test('adapters come in the order of their slots', () => {
  const nic = (slot: number, name: string) =>
    item({ AddressOnParent: slot, InstanceID: slot, ResourceType: 10, ResourceSubType: 'VmxNet3', ElementName: name });
  const { machines } = read(
    envelope(system(nic(10, 'four') + nic(7, 'one') + nic(9, 'three') + nic(8, 'two'))),
  ).description;
  expect(machines[0]!.nics.map(({ label }) => label)).toEqual(['one', 'two', 'three', 'four']);
});

test('entities and document types from outside are refused', () => {
  const doctypes = [
    '<!DOCTYPE o SYSTEM "http://evil.example/x.dtd">',
    '<!DOCTYPE o [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE o [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
  ];
  for (const doctype of doctypes) {
    expect(() => read(envelope(system(''), doctype))).toThrow(expect.objectContaining({ code: 'ovf.hostile' }));
  }
  expect(() => read(envelope('&x;'))).toThrow(expect.objectContaining({ code: 'ovf.invalid' }));
});

test('descriptors that are too large, too deep or too many are refused', () => {
  for (const bytes of [
    Buffer.alloc(16 * 2 ** 20 + 1, ' '),
    Buffer.from(envelope('<o:a>'.repeat(100) + '</o:a>'.repeat(100))),
    Buffer.from(envelope('<o:a/>'.repeat(300_000))),
  ]) {
    expect(() => readDescriptor(bytes)).toThrow(expect.objectContaining({ code: 'ovf.hostile' }));
  }
});

test('files that leave the folder are refused', () => {
  for (const href of [
    '../x.vmdk',
    '/etc/passwd',
    'http://x/y',
    'C:\\x',
    'a/%2e%2e/%2e%2e/b',
    '%252e%252e%252fb',
    'file:x',
    '',
  ]) {
    const text = oneDisk('o:capacity="512" o:fileRef="f"', `<o:File o:id="f" o:href="${href}"/>`);
    expect(() => read(text), href).toThrow(expect.objectContaining({ code: 'ovf.hostile' }));
  }
  const text = oneDisk(
    'o:capacity="512" o:fileRef="f"',
    '<o:File o:id="f" o:href="disks/web%2001 100%.vmdk" o:size="7"/>',
  );
  expect(read(text).files).toEqual([
    { id: 'f', href: 'disks/web%2001 100%.vmdk', path: 'disks/web%2001 100%.vmdk', sizeBytes: 7 },
  ]);
});

test('what makes no sense is refused with the name of the element', () => {
  const cases: [string, string][] = [
    ['<a/>', 'no OVF 1 or 2 descriptor'],
    ['<a>', 'not well-formed'],
    [envelope(''), 'has no machine'],
    [oneDisk('o:capacity="1e9"'), 'capacity of disk d'],
    [oneDisk('o:capacity="9" o:capacityAllocationUnits="parsec"'), 'units of parsec'],
    [oneDisk('o:capacity="512" o:fileRef="nope"'), 'the file nope'],
    [oneDisk('o:capacity="512" o:parentRef="d0"'), 'only the changes'],
    [envelope(system(item({ InstanceID: 5, ResourceType: 17, HostResource: 'ovf:/disk/zz' }))), 'ovf:/disk/zz'],
    [envelope(system(item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 0 }))), 'the processors of "a"'],
    [envelope(system('') + system('')), 'two machines'],
  ];
  for (const [text, what] of cases) {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'ovf.invalid', message: expect.stringContaining(what) }),
    );
  }
});

test('a descriptor in UTF-16 or with a byte order mark is read', () => {
  const text = oneDisk('o:capacity="512"').replace('"a"', '"ü"');
  expect(readDescriptor(Buffer.from(`\ufeff${text}`)).description.machines[0]!.id).toBe('ü');
  expect(readDescriptor(Buffer.from(`\ufeff${text}`, 'utf16le')).description.machines[0]!.id).toBe('ü');
  expect(() => readDescriptor(Buffer.from(text, 'latin1'))).toThrow(expect.objectContaining({ code: 'ovf.invalid' }));
});
