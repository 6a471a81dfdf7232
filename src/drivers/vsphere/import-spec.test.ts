import { expect, test } from 'vitest';
import type { MachineDescription } from '../../model/machine.ts';
import type { ImportRequest } from '../driver.ts';
import { parseDocument } from './element.ts';
import { completeImportSpec } from './import-spec.ts';
import { written } from './soap.ts';

const machine: MachineDescription = {
  id: 'web',
  name: 'web',
  notes: 'notes',
  guestId: 'debian12_64Guest',
  cpus: 2,
  coresPerSocket: 2,
  memoryMib: 512,
  firmware: 'efi',
  secureBoot: true,
  controllers: [],
  disks: [],
  nics: [
    { label: 'one', kind: 'vmxnet3', mac: '00:50:56:00:00:01', network: 'office', connected: true },
    { label: 'two', kind: 'vmxnet3', mac: '00:50:56:00:00:02', network: 'lab', connected: true },
  ],
  bootOrder: [],
  uuid: '4212c0de-1111-4222-8333-000000000000',
  properties: [],
  eulas: [],
  extras: { cpuHotAddEnabled: 'true', 'extraConfig.guestinfo.role': 'x' },
};

const request = (changes: Partial<ImportRequest>): ImportRequest => ({
  description: {
    kind: 'vm',
    name: 'web',
    notes: '',
    machines: [machine],
    networks: [],
    startOrder: [],
    properties: [],
    eulas: [],
  },
  name: 'web',
  destination: 'group-v1',
  placement: {},
  networks: { office: 'network-1' },
  keepMac: false,
  keepUuid: false,
  onNameClash: 'fail',
  properties: {},
  acceptEulas: false,
  ...changes,
});

const card = (key: number) =>
  `<deviceChange><operation>add</operation><device xsi:type="VirtualVmxnet3"><key>${key}</key><backing/>` +
  '<controllerKey>100</controllerKey><wakeOnLanEnabled>true</wakeOnLanEnabled></device></deviceChange>';

const completed = (changes: Partial<ImportRequest>, options = '') => {
  const spec = parseDocument(
    '<importSpec xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="VirtualMachineImportSpec"><configSpec><name>web</name>' +
      `<guestId>otherGuest</guestId><numCPUs>2</numCPUs><memoryMB>512</memoryMB>${card(-1)}${card(-2)}${options}<vAppConfig/></configSpec></importSpec>`,
    'test',
  );
  completeImportSpec(spec, request(changes), 'm4rk3r', 'vsphere vc1');
  return written(spec);
};

test('members are put where the schema of VirtualMachineConfigSpec has them', () => {
  const names = [...completed({ keepUuid: true }).matchAll(/<(\w+)/g)].map((found) => found[1]);
  const order = [
    'name',
    'uuid',
    'guestId',
    'annotation',
    'numCPUs',
    'numCoresPerSocket',
    'memoryMB',
    'cpuHotAddEnabled',
    'deviceChange',
    'extraConfig',
    'bootOptions',
    'vAppConfig',
    'firmware',
  ];
  expect(names.filter((name, at) => order.includes(name!) && names.indexOf(name) === at)).toEqual(order);
});

test('the marker and advanced options are in extraConfig', () => {
  const text = completed({});
  expect(text).toContain(
    '<extraConfig><key>cloudspan.marker</key><value xsi:type="xsd:string">m4rk3r</value></extraConfig>',
  );
  expect(text).toContain('<key>guestinfo.role</key>');
  expect(text).not.toContain('<uuid>');
});

test("options of Cloudspan's own that a package brings along are dropped, and a key is never set twice", () => {
  const option = (key: string, value: string) =>
    `<extraConfig><key>${key}</key><value xsi:type="xsd:string">${value}</value></extraConfig>`;
  const brought =
    option('cloudspan.complete', 'true') +
    option('Cloudspan.Marker', 'other') +
    option('guestinfo.role', 'y') +
    option('guestinfo.kept', 'z');
  const text = completed({}, brought);
  const keys = [...text.matchAll(/<extraConfig><key>([^<]+)/g)].map((found) => found[1]);
  expect(keys).toEqual(['guestinfo.kept', 'guestinfo.role', 'cloudspan.marker']);
  expect(text).toContain(option('guestinfo.role', 'x'));
});

test('an adapter without a mapping is disconnected, and MAC addresses are set only when they are kept', () => {
  const [first, second] = completed({}).split('<deviceChange>').slice(1);
  expect(first).toContain('<startConnected>true</startConnected>');
  expect(second).toContain('<startConnected>false</startConnected>');
  expect(completed({})).not.toContain('macAddress');
  const kept = completed({ keepMac: true });
  expect(kept).toMatch(
    /<addressType>manual<\/addressType><macAddress>00:50:56:00:00:01<\/macAddress><wakeOnLanEnabled>/,
  );
});
