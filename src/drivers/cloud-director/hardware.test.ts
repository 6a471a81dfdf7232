import { expect, test } from 'vitest';
import { connectionsFor, isAttached } from './connections.ts';
import { machineOf } from './hardware.ts';
import { parseXml } from './xml.ts';

const vm = parseXml(
  `<Vm xmlns="http://www.vmware.com/vcloud/v1.5" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
    xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
    xmlns:vmw="http://www.vmware.com/schema/ovf" xmlns:vcloud="http://www.vmware.com/vcloud/v1.5" name="web 1" status="8">
  <Description>two
lines</Description>
  <ovf:VirtualHardwareSection><ovf:System><vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType></ovf:System>
   <ovf:Item><rasd:Address>0</rasd:Address><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType><rasd:ResourceType>6</rasd:ResourceType></ovf:Item>
   <ovf:Item><rasd:Address>1</rasd:Address><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>vmware.sata.ahci</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></ovf:Item>
   <ovf:Item><rasd:AddressOnParent>3</rasd:AddressOnParent><rasd:ElementName>Hard disk 1</rasd:ElementName><rasd:HostResource vcloud:capacity="40"/><rasd:InstanceID>2003</rasd:InstanceID><rasd:Parent>2</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></ovf:Item>
   <ovf:Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:HostResource vcloud:capacity="1"/><rasd:InstanceID>16000</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType><rasd:VirtualQuantity>2097152</rasd:VirtualQuantity><rasd:VirtualQuantityUnits>byte</rasd:VirtualQuantityUnits></ovf:Item>
   <ovf:Item><rasd:InstanceID>4</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>4</rasd:VirtualQuantity><vmw:CoresPerSocket>2</vmw:CoresPerSocket></ovf:Item>
   <ovf:Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:InstanceID>5</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>2048</rasd:VirtualQuantity></ovf:Item>
  </ovf:VirtualHardwareSection>
  <ovf:OperatingSystemSection ovf:id="101" vmw:osType="debian12_64Guest"/>
  <NetworkConnectionSection>
   <NetworkConnection network="none"><NetworkConnectionIndex>1</NetworkConnectionIndex><IsConnected>true</IsConnected><MACAddress>00:50:56:01:00:0B</MACAddress><IpAddressAllocationMode>NONE</IpAddressAllocationMode><NetworkAdapterType>E1000E</NetworkAdapterType></NetworkConnection>
   <NetworkConnection network="net1"><NetworkConnectionIndex>0</NetworkConnectionIndex><IpAddress>10.1.1.5</IpAddress><IsConnected>true</IsConnected><MACAddress>00:50:56:01:00:0A</MACAddress><IpAddressAllocationMode>MANUAL</IpAddressAllocationMode><NetworkAdapterType>VMXNET3</NetworkAdapterType></NetworkConnection>
  </NetworkConnectionSection></Vm>`,
  't',
);

test('a VM is described with its disks on their controllers and its NICs in slot order', () => {
  const machine = machineOf(vm, 'web 1');
  expect(machine).toMatchObject({
    name: 'web 1',
    notes: 'two\nlines',
    guestId: 'debian12_64Guest',
    hardwareVersion: 'vmx-19',
    cpus: 4,
    coresPerSocket: 2,
    memoryMib: 2048,
    firmware: 'bios',
  });
  expect(machine.controllers).toEqual([
    { id: 'pvscsi-0', kind: 'pvscsi', bus: 0 },
    { id: 'sata-1', kind: 'sata', bus: 1 },
  ]);
  expect(machine.disks).toEqual([
    { id: 'web 1/disk-0', label: 'Hard disk 1', capacityBytes: 40 * 1024 * 1024, controller: 'pvscsi-0', unit: 3 },
    { id: 'web 1/disk-1', label: 'Hard disk 2', capacityBytes: 2 * 1024 * 1024, controller: 'sata-1', unit: 0 },
  ]);
  expect(machine.nics).toEqual([
    {
      label: 'Network adapter 0',
      kind: 'vmxnet3',
      mac: '00:50:56:01:00:0a',
      network: 'net1',
      connected: true,
      ip: { mode: 'manual', address: '10.1.1.5' },
    },
    {
      label: 'Network adapter 1',
      kind: 'e1000e',
      mac: '00:50:56:01:00:0b',
      network: null,
      connected: false,
      ip: { mode: 'none' },
    },
  ]);
});

test('a NIC without a mapping arrives on no network and disconnected', () => {
  const [mapped, open] = connectionsFor(machineOf(vm, 'web 1'), new Map([['net1', 'lan']]), false);
  expect(mapped).toEqual({
    network: 'lan',
    connected: true,
    mode: 'DHCP',
    address: undefined,
    mac: undefined,
    adapter: 'VMXNET3',
  });
  expect(open).toMatchObject({ network: 'none', connected: false, mode: 'NONE' });
  expect(connectionsFor(machineOf(vm, 'web 1'), new Map(), false)[0]).toMatchObject({
    network: 'none',
    connected: false,
  });
});

test('an address set by hand goes along only together with the MAC address', () => {
  const [kept] = connectionsFor(machineOf(vm, 'web 1'), new Map([['net1', 'net1']]), true);
  expect(kept).toMatchObject({ mode: 'MANUAL', address: '10.1.1.5', mac: '00:50:56:01:00:0a' });
});

test('a VM that is attached as wanted needs no change', () => {
  const same = connectionsFor(machineOf(vm, 'web 1'), new Map([['net1', 'net1']]), true).with(1, {
    network: 'none',
    connected: true,
    mode: 'NONE',
    address: undefined,
    mac: undefined,
    adapter: 'E1000E',
  });
  expect(isAttached(vm, same)).toBe(true);
  expect(isAttached(vm, same.slice(0, 1))).toBe(false);
  expect(
    isAttached(
      vm,
      same.map((one) => ({ ...one, connected: false })),
    ),
  ).toBe(false);
});
