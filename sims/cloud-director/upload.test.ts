import { describe, expect, test } from 'vitest';
import { linkOf } from './lab-client.ts';
import {
  client,
  diskBytes,
  diskBytesHere,
  hrefOf,
  labState,
  ovf,
  piece,
  restart,
  setFaults,
  startLabs,
  startUpload,
  statusOf,
  upload,
  v15,
  vmdk,
} from './lab-scene.ts';
import { attributeOf, child, childrenOf, path, textOf } from './xml/tree.ts';

startLabs();

describe('upload', () => {
  test('a template arrives in pieces, survives a restart in the middle and keeps what the descriptor says', async () => {
    const { template, disk } = await startUpload('t1', ovf(vmdk.length));
    const half = Math.floor(vmdk.length / 2);
    expect((await client.call('PUT', disk, piece(vmdk, 0, half - 1))).status).toBe(200);
    expect((await client.call('PUT', disk, piece(vmdk, half + 1, vmdk.length - 1))).status).toBe(416);
    await restart();
    const local = (href: string) => new URL(href).pathname;
    expect(await diskBytesHere(local(template))).toBe(half);
    expect((await client.call('PUT', local(disk), piece(vmdk, half - 5, vmdk.length - 1))).status).toBe(200);
    expect((await statusOf(local(template))).status).toBe('8');
    const vm = child(child(await client.get(local(template)), 'Children'), 'Vm')!;
    expect(attributeOf(vm, 'name')).toBe('wéb & 1');
    const spec = child(vm, 'VmSpecSection');
    expect([
      textOf(spec, 'NumCpus'),
      textOf(spec, 'NumCoresPerSocket'),
      textOf(spec, 'MemoryResourceMb', 'Configured'),
    ]).toEqual(['4', '2', '768']);
    const settings = path(spec, 'DiskSection', 'DiskSettings');
    expect(['SizeMb', 'UnitNumber', 'BusNumber', 'AdapterType'].map((name) => textOf(settings, name))).toEqual([
      '6',
      '3',
      '1',
      '5',
    ]);
    const nics = childrenOf(child(vm, 'NetworkConnectionSection'), 'NetworkConnection');
    expect(nics.map((nic) => [attributeOf(nic, 'network'), textOf(nic, 'NetworkAdapterType')])).toEqual([
      ['LAN', 'VMXNET3'],
      ['none', 'E1000E'],
    ]);
    expect(textOf(child(vm, 'GuestCustomizationSection'), 'ComputerName')).toBe('we-b-1');
    expect(await labState()).toMatchObject({ uploads: 0, leftoverTransfers: [], leftoverDisks: [], rawDisks: 1 });
  });

  test('a connection that breaks leaves the bytes that are durable, and the upload goes on from there', async () => {
    const { template, disk } = await startUpload('t1', ovf(undefined));
    await setFaults([
      { on: 'call', method: 'PUT', path: '/transfer/*', action: { kind: 'cut', afterBytes: 1_000_000 } },
    ]);
    await expect(client.call('PUT', disk, piece(vmdk, 0, vmdk.length - 1))).rejects.toThrow();
    await expect.poll(() => diskBytesHere(template)).toBe(1_000_000);
    expect((await client.call('PUT', disk, piece(vmdk, 1_000_000, vmdk.length - 1))).status).toBe(200);
    expect((await statusOf(template)).status).toBe('8');
  });

  test.each([
    ['a truncated disk', () => vmdk.subarray(0, vmdk.length - 5000), diskBytes, /truncated/],
    ['a disk of another capacity', () => vmdk, diskBytes * 2, /descriptor says/],
    ['bytes that are no disk', () => Buffer.alloc(4096, 1), diskBytes, /sparse extent header/],
  ])(
    '%s ends in status -1 with the reason in the task and nothing left over',
    async (_what, bytes, capacity, reason) => {
      const body = bytes();
      const { template, disk } = await startUpload('bad', ovf(body.length, capacity));
      expect((await client.call('PUT', disk, { body })).status).toBe(200);
      const { status, error } = await statusOf(template);
      expect(status).toBe('-1');
      expect(error).toMatch(reason);
      expect(await labState()).toMatchObject({ uploads: 0, leftoverTransfers: [], rawDisks: 0 });
    },
  );

  test('a checksum that the manifest does not confirm fails the import', async () => {
    const { template, disk } = await startUpload('bad', ovf(vmdk.length), true);
    const files = childrenOf(child(await client.get(template), 'Files'), 'File');
    const manifest = linkOf(files.find((file) => attributeOf(file, 'name') === 'descriptor.mf')!, 'upload:default');
    await client.call('PUT', disk, { body: vmdk });
    await client.call('PUT', manifest, { body: `SHA256(disk 1.vmdk)= ${'0'.repeat(64)}\n` });
    expect(await statusOf(template)).toMatchObject({ status: '-1', error: expect.stringMatching(/manifest/) });
  });

  test('a descriptor with a document type is refused before any disk is asked for', async () => {
    const { template } = await startUpload(
      'bad',
      `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${ovf(1).replace(/^<\?xml[^>]*>/, '')}`,
    );
    expect(await statusOf(template)).toMatchObject({ status: '-1', error: expect.stringMatching(/document type/) });
  });

  test('an upload that stands still times out with status 17, and a canceled one leaves nothing', async () => {
    const { template } = await startUpload('slow', ovf(vmdk.length));
    const second = await startUpload('other', ovf(vmdk.length));
    const task = attributeOf(path(await client.get(second.template), 'Tasks', 'Task'), 'href');
    expect((await client.call('POST', `${task}/action/cancel`)).status).toBe(204);
    expect((await client.call('GET', second.template)).status).toBe(403);
    await expect.poll(async () => attributeOf(await client.get(template), 'status'), { timeout: 8000 }).toBe('17');
    expect(await labState()).toMatchObject({ uploads: 0, leftoverTransfers: [] });
  });

  test('a name that the catalog has is refused', async () => {
    await upload('t1');
    const catalog = await hrefOf('catalog', 'templates');
    const answer = await client.call('POST', `${catalog}/action/upload`, {
      body: `<UploadVAppTemplateParams ${v15} name="t1"/>`,
    });
    expect([answer.status, attributeOf(answer.xml(), 'minorErrorCode')]).toEqual([400, 'DUPLICATE_NAME']);
  });
});
