import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { linkOf } from './lab-client.ts';
import {
  client,
  decode,
  diskBytes,
  folder,
  hrefOf,
  instantiate,
  labState,
  raw,
  startLabs,
  upload,
  v15,
} from './lab-scene.ts';
import { attributeOf, child, childrenOf, path, textOf, type XmlElement } from './xml/tree.ts';

startLabs();

describe('machines', () => {
  test('a template becomes a vApp that is powered on, undeployed and deleted', async () => {
    const template = await upload('t1');
    const vapp = await instantiate(template, 'a1');
    const act = async (rel: string, body?: string) => {
      const answer = await client.call('POST', `${vapp}/${rel}`, body === undefined ? {} : { body });
      expect(answer.status, answer.text).toBe(202);
      expect(attributeOf(await client.settled(answer), 'status')).toBe('success');
      const entity = await client.get(vapp);
      return [attributeOf(entity, 'status'), attributeOf(entity, 'deployed')];
    };
    expect(attributeOf(await client.get(vapp), 'status')).toBe('8');
    expect(await act('power/action/powerOn')).toEqual(['4', 'true']);
    expect(await act('power/action/powerOn')).toEqual(['4', 'true']);
    const refused = await client.call('DELETE', vapp);
    expect([refused.status, attributeOf(refused.xml(), 'message')]).toEqual([400, expect.stringMatching(/stop it/)]);
    expect(await act('power/action/powerOff')).toEqual(['8', 'true']);
    expect(
      await act(
        'action/undeploy',
        `<UndeployVAppParams ${v15}><UndeployPowerAction>powerOff</UndeployPowerAction></UndeployVAppParams>`,
      ),
    ).toEqual(['8', 'false']);
    expect(attributeOf(await client.settled(await client.call('DELETE', vapp)), 'status')).toBe('success');
    expect((await client.call('GET', vapp)).status).toBe(403);
    expect((await client.call('DELETE', await hrefOf('catalogItem', 't1'))).status).toBe(204);
    await expect.poll(labState).toMatchObject({ rawDisks: 0, leftoverDisks: [] });
  });

  test('a copy gets MAC addresses of its own, and keeps the one that is asked for', async () => {
    const template = await upload('t1');
    const net = await hrefOf('orgVdcNetwork', 'net1');
    const config = `<InstantiationParams><NetworkConfigSection><ovf:Info xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"/><NetworkConfig networkName="LAN"><Configuration><ParentNetwork href="${net}"/><FenceMode>bridged</FenceMode></Configuration></NetworkConfig></NetworkConfigSection></InstantiationParams>`;
    const vapp = await instantiate(template, 'a1', config);
    const vm = path(await client.get(vapp), 'Children', 'Vm')!;
    const macs = (entity: XmlElement) =>
      childrenOf(child(entity, 'NetworkConnectionSection'), 'NetworkConnection').map((nic) =>
        textOf(nic, 'MACAddress'),
      );
    const source = path(await client.get(template), 'Children', 'Vm')!;
    expect(macs(vm).some((mac) => macs(source).includes(mac))).toBe(false);
    const section = `<NetworkConnectionSection ${v15}><PrimaryNetworkConnectionIndex>0</PrimaryNetworkConnectionIndex><NetworkConnection network="LAN"><NetworkConnectionIndex>0</NetworkConnectionIndex><IpAddress>10.1.1.5</IpAddress><IsConnected>true</IsConnected><MACAddress>00:50:56:01:02:03</MACAddress><IpAddressAllocationMode>MANUAL</IpAddressAllocationMode><NetworkAdapterType>VMXNET3</NetworkAdapterType></NetworkConnection></NetworkConnectionSection>`;
    const href = attributeOf(vm, 'href') ?? '';
    const answer = await client.call('PUT', `${href}/networkConnectionSection/`, { body: section });
    expect(attributeOf(await client.settled(answer), 'status')).toBe('success');
    const nic = path(await client.get(href), 'NetworkConnectionSection', 'NetworkConnection');
    expect([textOf(nic, 'MACAddress'), textOf(nic, 'IpAddress'), textOf(nic, 'IpAddressAllocationMode')]).toEqual([
      '00:50:56:01:02:03',
      '10.1.1.5',
      'MANUAL',
    ]);
  });

  test('a vApp name is taken once per VDC', async () => {
    const template = await upload('t1');
    await instantiate(template, 'a1');
    const vdc = await hrefOf('orgVdc', 'vdc1');
    const again = await client.call('POST', `${vdc}/action/composeVApp`, {
      body: `<ComposeVAppParams ${v15} name="a1"/>`,
    });
    expect([again.status, attributeOf(again.xml(), 'minorErrorCode')]).toEqual([400, 'DUPLICATE_NAME']);
  });

  test('an empty vApp is resolved, powered on and mixed as the vendor counts', async () => {
    const vdc = await hrefOf('orgVdc', 'vdc1');
    const answer = await client.call('POST', `${vdc}/action/composeVApp`, {
      body: `<ComposeVAppParams ${v15} name="empty"/>`,
    });
    await client.settled(answer);
    const vapp = attributeOf(answer.xml(), 'href') ?? '';
    expect(attributeOf(await client.get(vapp), 'status')).toBe('1');
    await client.settled(await client.call('POST', `${vapp}/power/action/powerOn`));
    expect(attributeOf(await client.get(vapp), 'status')).toBe('4');
    const body = `<RecomposeVAppParams ${v15}><CreateItem name="e1"><VmSpecSection Modified="true"><NumCpus>2</NumCpus><DiskSection><DiskSettings><SizeMb>16</SizeMb><AdapterType>6</AdapterType></DiskSettings></DiskSection></VmSpecSection></CreateItem></RecomposeVAppParams>`;
    const added = await client.call('POST', `${vapp}/action/recomposeVApp`, { body });
    expect(attributeOf(await client.settled(added), 'status')).toBe('success');
    expect(attributeOf(await client.get(vapp), 'status')).toBe('10');
  });

  test('a captured vApp is a template again', async () => {
    const vapp = await instantiate(await upload('t1'), 'a1');
    const catalog = await hrefOf('catalog', 'images');
    const body = `<CaptureVAppParams ${v15} name="back"><Description>x</Description><Source href="${vapp}"/></CaptureVAppParams>`;
    const task = await client.settled(await client.call('POST', `${catalog}/action/captureVApp`, { body }));
    const template = await client.get(attributeOf(child(task, 'Owner'), 'href') ?? '');
    expect([attributeOf(template, 'status'), attributeOf(path(template, 'Children', 'Vm'), 'name')]).toEqual([
      '8',
      'wéb & 1',
    ]);
  });
});

describe('download', () => {
  test('the disk that comes out is the disk that went in, and the descriptor states its exact size', async () => {
    const template = await upload('t1');
    const task = await client.settled(await client.call('POST', linkOf(await client.get(template), 'enable')));
    expect(attributeOf(task, 'status')).toBe('success');
    const staged = await client.get(template);
    const link = linkOf(staged, 'download:default');
    const descriptor = await client.get(link);
    const file = path(descriptor, 'References', 'File');
    const disk = await client.call('GET', new URL(attributeOf(file, 'href') ?? '', link).href);
    expect(disk.bytes.length).toBe(Number(attributeOf(file, 'size')));
    const out = await decode(disk.bytes);
    expect(out.length).toBe(6 * 2 ** 20);
    expect(out.subarray(0, diskBytes).equals(raw)).toBe(true);
    expect(out.subarray(diskBytes).every((byte) => byte === 0)).toBe(true);
    const tail = await client.call('GET', new URL(attributeOf(file, 'href') ?? '', link).href, {
      headers: { range: 'bytes=1000-' },
    });
    expect([tail.status, tail.bytes.equals(disk.bytes.subarray(1000))]).toEqual([206, true]);
    const ova = await client.call('GET', linkOf(staged, 'download:ovaDefault'));
    await compareOutside(disk.bytes, out, ova.bytes);
    expect((await client.call('GET', link)).text).not.toContain('rasd:Address>00:50');
    expect((await client.call('GET', linkOf(staged, 'download:identity'))).text).toContain('rasd:Address>00:50');
    expect((await client.call('POST', linkOf(staged, 'disable'))).status).toBe(204);
    expect((await client.call('GET', link)).status).toBe(403);
    await expect.poll(labState).toMatchObject({ downloads: 0, leftoverTransfers: [] });
  });

  /** Lets programs that we did not write judge the bytes, where they are installed. */
  async function compareOutside(packed: Buffer, plain: Buffer, ova: Buffer): Promise<void> {
    const [vmdkFile, rawFile, ovaFile] = ['out.vmdk', 'out.raw', 'out.ova'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(vmdkFile, packed);
    await writeFile(rawFile, plain);
    await writeFile(ovaFile, ova);
    expect(execFileSync('tar', ['tf', ovaFile], { encoding: 'utf8' }).trim().split('\n')).toHaveLength(2);
    try {
      execFileSync('qemu-img', ['--version']);
    } catch {
      console.warn('SKIPPED: qemu-img is not installed, so the export was compared by our own decoder only');
      return;
    }
    execFileSync('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', vmdkFile, rawFile]);
  }
});
