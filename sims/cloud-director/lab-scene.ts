import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { type RunningCloudDirector, startCloudDirector } from './index.ts';
import { LabClient, linkOf } from './lab-client.ts';
import { decodeVmdk } from './vmdk/decode.ts';
import { encodeVmdk } from './vmdk/encode.ts';
import { defaultWorld } from './world.ts';
import { attributeOf, child, childrenOf, type XmlElement } from './xml/tree.ts';

export const v15 = 'xmlns="http://www.vmware.com/vcloud/v1.5"';
export const diskBytes = 5 * 2 ** 20 + 3 * 512;
export let folder: string;
export let cloud: RunningCloudDirector;
export let client: LabClient;
export let raw: Buffer;
export let vmdk: Buffer;

/** Gives every test of the file a lab of its own and a client that is logged in. */
export function startLabs(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vcd-lab-'));
    const world = join(folder, 'world.json');
    await writeFile(world, JSON.stringify({ ...defaultWorld, taskMilliseconds: 5, transferIdleSeconds: 2 }));
    cloud = await startCloudDirector({ data: join(folder, 'data'), world });
    client = await LabClient.login(cloud);
    raw = Buffer.concat([randomBytes(700_000), Buffer.alloc(2 ** 21), randomBytes(diskBytes - 700_000 - 2 ** 21)]);
    vmdk = await encode(raw);
  });

  afterEach(async () => {
    await cloud.close();
    await rm(folder, { recursive: true, force: true });
  });
}

/** Closes the lab and starts it again on the same data. */
export async function restart(): Promise<void> {
  await cloud.close();
  cloud = await startCloudDirector({ data: join(folder, 'data') });
  client = await LabClient.login(cloud);
}

async function encode(bytes: Buffer): Promise<Buffer> {
  const reader = {
    bytes: bytes.length,
    isHole: () => false,
    read: async (offset: number, into: Buffer) => {
      into.fill(0);
      bytes.copy(into, 0, offset);
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return Buffer.concat(await Array.fromAsync(encodeVmdk(reader, 'test', AbortSignal.timeout(20_000))));
}

export async function decode(bytes: Buffer): Promise<Buffer> {
  let disk = Buffer.alloc(0);
  const write = async (offset: number, data: Buffer) => {
    data.copy(disk, offset);
  };
  await decodeVmdk(
    (async function* () {
      yield bytes;
    })(),
    { write },
    (capacity) => {
      disk = Buffer.alloc(capacity);
    },
    AbortSignal.timeout(20_000),
  );
  return disk;
}

export function ovf(size: number | undefined, capacity = diskBytes): string {
  const item = (fields: Record<string, string | number>) =>
    `<Item>${Object.entries(fields)
      .map(([name, value]) => `<rasd:${name}>${value}</rasd:${name}>`)
      .join('')}</Item>`;
  return `<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
   xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf"
   xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References><File ovf:href="disk 1.vmdk" ovf:id="f1"${size === undefined ? '' : ` ovf:size="${size}"`}/></References>
  <DiskSection><Info/><Disk ovf:capacity="${capacity}" ovf:diskId="d1" ovf:fileRef="f1"/></DiskSection>
  <NetworkSection><Info/><Network ovf:name="LAN"><Description>l</Description></Network></NetworkSection>
  <VirtualSystem ovf:id="web"><Info/><Name>wéb &amp; 1</Name><OperatingSystemSection ovf:id="101" vmw:osType="debian12_64Guest"><Info/></OperatingSystemSection>
  <AnnotationSection><Info/><Annotation>note</Annotation></AnnotationSection>
  <ProductSection><Info/><Property ovf:key="k" ovf:value="v" ovf:type="string"/></ProductSection>
  <VirtualHardwareSection><Info/><System><vssd:ElementName>x</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType></System>
  <Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>4</rasd:VirtualQuantity><vmw:CoresPerSocket>2</vmw:CoresPerSocket></Item>
  ${item({ AllocationUnits: 'byte * 2^20', InstanceID: 2, ResourceType: 4, VirtualQuantity: 768 })}
  ${item({ Address: 1, InstanceID: 3, ResourceSubType: 'VirtualSCSI', ResourceType: 6 })}
  ${item({ AddressOnParent: 3, HostResource: 'ovf:/disk/d1', InstanceID: 4, ElementName: 'data', Parent: 3, ResourceType: 17 })}
  ${item({ AddressOnParent: 1, AutomaticAllocation: 'true', Connection: 'none', InstanceID: 5, ResourceSubType: 'E1000e', ResourceType: 10 })}
  ${item({ AddressOnParent: 0, AutomaticAllocation: 'true', Connection: 'LAN', InstanceID: 6, ResourceSubType: 'VmxNet3', ResourceType: 10 })}
  <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/></VirtualHardwareSection></VirtualSystem></Envelope>`;
}

export async function query(type: string, rest = ''): Promise<XmlElement> {
  return client.get(`/api/query?type=${type}&format=records${rest}`);
}

export async function hrefOf(type: string, name: string): Promise<string> {
  const records = (await query(type)).children.filter((record) => attributeOf(record, 'name') === name);
  return attributeOf(records[0], 'href') ?? '';
}

/** Starts an upload and sends the descriptor; returns the template's href and the disk's upload link. */
export async function startUpload(
  name: string,
  descriptor: string,
  manifestRequired = false,
): Promise<{ template: string; disk: string }> {
  const catalog = await hrefOf('catalog', 'templates');
  const body = `<UploadVAppTemplateParams ${v15} name="${name}" manifestRequired="${manifestRequired}"><Description>d</Description></UploadVAppTemplateParams>`;
  const item = await client.call('POST', `${catalog}/action/upload`, { body });
  expect(item.status, item.text).toBe(201);
  const template = attributeOf(child(item.xml(), 'Entity'), 'href') ?? '';
  const files = childrenOf(child(await client.get(template), 'Files'), 'File');
  expect(files.map((file) => attributeOf(file, 'name'))).toEqual(['descriptor.ovf']);
  expect((await client.call('PUT', linkOf(files[0]!, 'upload:default'), { body: descriptor })).status).toBe(200);
  const disk = childrenOf(child(await client.get(template), 'Files'), 'File')[1];
  return { template, disk: disk === undefined ? '' : linkOf(disk, 'upload:default') };
}

export async function diskBytesHere(template: string): Promise<number> {
  return Number(attributeOf(childrenOf(child(await client.get(template), 'Files'), 'File')[1], 'bytesTransferred'));
}

export function piece(bytes: Buffer, first: number, last: number) {
  return {
    body: bytes.subarray(first, last + 1),
    headers: { 'content-range': `bytes ${first}-${last}/${bytes.length}` },
  };
}

export async function statusOf(template: string): Promise<{ status: string; error: string | undefined }> {
  for (;;) {
    const entity = await client.get(template);
    const task = child(child(entity, 'Tasks'), 'Task');
    if (attributeOf(task, 'status') !== 'running') {
      return { status: attributeOf(entity, 'status') ?? '', error: attributeOf(child(task, 'Error'), 'message') };
    }
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

export async function upload(name: string): Promise<string> {
  const { template, disk } = await startUpload(name, ovf(vmdk.length));
  expect((await client.call('PUT', disk, { body: vmdk })).status).toBe(200);
  expect(await statusOf(template)).toEqual({ status: '8', error: undefined });
  return template;
}

export async function labState(): Promise<Record<string, unknown>> {
  const answer = await client.call('GET', '/lab/state', { headers: { 'x-lab-key': cloud.labKey } });
  return JSON.parse(answer.text) as Record<string, unknown>;
}

export async function setFaults(rules: unknown[]): Promise<void> {
  const answer = await client.call('POST', '/lab/faults', {
    body: JSON.stringify({ rules }),
    headers: { 'x-lab-key': cloud.labKey },
  });
  expect(answer.status, answer.text).toBe(200);
}

export async function instantiate(template: string, name: string, extra = ''): Promise<string> {
  const vdc = await hrefOf('orgVdc', 'vdc1');
  const body = `<InstantiateVAppTemplateParams ${v15} name="${name}" deploy="false" powerOn="false">${extra}<Source href="${template}"/></InstantiateVAppTemplateParams>`;
  const answer = await client.call('POST', `${vdc}/action/instantiateVAppTemplate`, { body });
  expect(answer.status, answer.text).toBe(201);
  expect(attributeOf(await client.settled(answer), 'status')).toBe('success');
  return attributeOf(answer.xml(), 'href') ?? '';
}
