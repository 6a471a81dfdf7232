import { expect, test } from 'vitest';
import type { DiskPlace } from './hardware.ts';
import type { DeviceUrl } from './lease.ts';
import { matchFiles } from './lease-files.ts';

const place = (index: number, controllerType: string, bus: number, unit: number): DiskPlace => ({
  disk: `web/disk-${index}`,
  machine: 'vm-1',
  deviceKey: 2000 + index,
  controllerType,
  bus,
  unit,
});
const file = (key: string, disk = true): DeviceUrl => ({
  key,
  importKey: '',
  url: new URL('https://host/'),
  thumbprint: '',
  disk,
});
const keys = (places: DiskPlace[], files: DeviceUrl[]) =>
  Object.fromEntries([...matchFiles(places, { files }, 'vsphere vc1')].map(([disk, { key }]) => [disk, key]));

const places = [
  place(0, 'ParaVirtualSCSIController', 0, 0),
  place(1, 'ParaVirtualSCSIController', 0, 1),
  place(2, 'VirtualAHCIController', 0, 0),
];

test('files are matched by controller, bus and unit, whatever their order', () => {
  const files = [
    '/vm-1/VirtualAHCIController0:0',
    '/vm-1/ParaVirtualSCSIController0:1',
    '/vm-1/ParaVirtualSCSIController0:0',
  ];
  expect(keys(places, [file('/vm-1/nvram', false), ...files.map((key) => file(key))])).toEqual({
    'web/disk-0': '/vm-1/ParaVirtualSCSIController0:0',
    'web/disk-1': '/vm-1/ParaVirtualSCSIController0:1',
    'web/disk-2': '/vm-1/VirtualAHCIController0:0',
  });
});

test('a server that names another kind of SCSI controller is understood', () => {
  expect(keys([places[0]!], [file('/vm-1/VirtualSCSIController0:0')])['web/disk-0']).toBe(
    '/vm-1/VirtualSCSIController0:0',
  );
});

test('a server that counts the disks is understood', () => {
  const files = [file('/vm-1/disk:2'), file('/vm-1/disk:0'), file('/vm-1/disk:1')];
  expect(keys(places, files)).toEqual({
    'web/disk-0': '/vm-1/disk:0',
    'web/disk-1': '/vm-1/disk:1',
    'web/disk-2': '/vm-1/disk:2',
  });
});

test('a disk without a file is a fault, never a guess', () => {
  expect(() => keys(places, [file('/vm-1/ParaVirtualSCSIController0:0')])).toThrowError(
    /no file for web\/disk-1, web\/disk-2/,
  );
});
