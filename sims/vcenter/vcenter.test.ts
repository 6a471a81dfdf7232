import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startVcenter, type Vcenter } from './index.ts';
import { at, each, SoapClient, send } from './soap-client.ts';

const PC = 'PropertyCollector propertyCollector';
let folder: string;
let lab: Vcenter;
let client: SoapClient;

async function start(): Promise<void> {
  lab = await startVcenter({ data: folder, password: 'secret' });
  client = new SoapClient(lab.url);
  await client.login(lab.user, 'secret');
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lab-vcenter-'));
  await start();
});
afterAll(async () => {
  await lab.close();
  await rm(folder, { recursive: true, force: true });
});

async function admin(door: string, body: unknown): Promise<void> {
  const answer = await send('POST', `${lab.url}/lab/${door}`, { 'x-lab-key': lab.labKey }, JSON.stringify(body));
  expect(answer.status, answer.body.toString()).toBe(200);
}

async function allView(): Promise<string> {
  const view = await client.call(
    'CreateContainerView',
    'ViewManager',
    '<container type="Folder">group-d1</container><recursive>true</recursive>',
  );
  return at(view, 'returnval')?.text ?? '';
}

function viewSpec(view: string, wanted: string): string {
  return `<propSet>${wanted}</propSet><objectSet><obj type="ContainerView">${view}</obj><skip>true</skip><selectSet xsi:type="TraversalSpec"><type>ContainerView</type><path>view</path></selectSet></objectSet>`;
}

/** A ready export lease: its id and the URLs of its disks. */
async function lease(
  started: Awaited<ReturnType<SoapClient['call']>>,
): Promise<{ id: string; urls: string[]; keys: string[] }> {
  const id = `HttpNfcLease ${at(started, 'returnval')?.text}`;
  for (;;) {
    const state = (await client.get(id, 'state'))?.text;
    if (state === 'error') throw new Error((await client.get(id, 'error'))?.children.map((one) => one.text).join(' '));
    if (state === 'ready') break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const devices = each(await client.get(id, 'info'), 'deviceUrl');
  return {
    id,
    urls: devices.map((one) => at(one, 'url')?.text ?? ''),
    keys: devices.map((one) => at(one, 'key')?.text ?? ''),
  };
}

test('no call but the first ones works without a session, and a wrong password is InvalidLogin', async () => {
  const stranger = new SoapClient(lab.url);
  await stranger.call('RetrieveServiceContent', 'ServiceInstance');
  await expect(stranger.call('CreateContainerView', 'ViewManager', '')).rejects.toMatchObject({
    name: 'NotAuthenticated',
  });
  await expect(stranger.login(lab.user, 'wrong')).rejects.toMatchObject({ name: 'InvalidLogin' });
});

test('every property of every object can be read', async () => {
  const view = await allView();
  const found = await client.call(
    'RetrieveProperties',
    PC,
    `<specSet>${viewSpec(view, '<type>ManagedEntity</type><all>true</all>')}</specSet>`,
  );
  const rows = each(found, 'returnval');
  expect(rows.length).toBeGreaterThan(25);
  for (const row of rows) expect(each(row, 'propSet').map((one) => at(one, 'name')?.text)).toContain('name');
});

test('pages hold as many objects as asked for, and a token works once', async () => {
  const view = await allView();
  const spec = `<specSet>${viewSpec(view, '<type>ManagedEntity</type><pathSet>name</pathSet>')}</specSet>`;
  const all = each(await client.call('RetrieveProperties', PC, spec), 'returnval').length;
  let page = at(
    await client.call('RetrievePropertiesEx', PC, `${spec}<options><maxObjects>4</maxObjects></options>`),
    'returnval',
  );
  let count = each(page, 'objects').length;
  expect(count).toBe(4);
  let token = at(page, 'token')?.text;
  const first = token;
  while (token) {
    page = at(await client.call('ContinueRetrievePropertiesEx', PC, `<token>${token}</token>`), 'returnval');
    count += each(page, 'objects').length;
    token = at(page, 'token')?.text;
  }
  expect(count).toBe(all);
  await expect(client.call('ContinueRetrievePropertiesEx', PC, `<token>${first}</token>`)).rejects.toMatchObject({
    name: 'InvalidArgument',
  });
});

test('a property the type does not have is InvalidProperty', async () => {
  await expect(client.get('Folder group-d1', 'colour')).rejects.toMatchObject({ name: 'InvalidProperty' });
  await expect(client.get('Folder group-d1', 'name.x')).rejects.toMatchObject({ name: 'InvalidProperty' });
});

test('updates come with versions: a new one per change, the last again on request, an unknown one refused', async () => {
  const collector = `PropertyCollector ${at(await client.call('CreatePropertyCollector', PC), 'returnval')?.text}`;
  await client.call(
    'CreateFilter',
    collector,
    `<spec>${viewSpec(await allView(), '<type>VirtualMachine</type><pathSet>name</pathSet><pathSet>runtime.powerState</pathSet>')}</spec><partialUpdates>false</partialUpdates>`,
  );
  const wait = async (version: string, seconds = 2) =>
    at(
      await client.call(
        'WaitForUpdatesEx',
        collector,
        `<version>${version}</version><options><maxWaitSeconds>${seconds}</maxWaitSeconds></options>`,
      ),
      'returnval',
    );
  const first = await wait('');
  expect(each(at(first, 'filterSet'), 'objectSet').length).toBe(6);
  const one = at(first, 'version')?.text ?? '';
  expect(await wait(one, 0)).toBeUndefined();

  const vm = await client.find('DC1/vm/Web/web-01');
  const waiting = wait(one, 20);
  await client.task(await client.call('PowerOnVM_Task', vm));
  const changed = await waiting;
  expect(at(changed, 'filterSet/objectSet/kind')?.text).toBe('modify');
  expect(at(changed, 'filterSet/objectSet/changeSet/val')?.text).toBe('poweredOn');
  const two = at(changed, 'version')?.text ?? '';
  expect(Number(two)).toBeGreaterThan(Number(one));
  expect(at(await wait(one, 0), 'filterSet/objectSet/changeSet/val')?.text).toBe('poweredOn');
  await expect(wait('4711', 0)).rejects.toMatchObject({ name: 'InvalidCollectorVersion' });

  await expect(client.call('ExportVm', vm)).rejects.toMatchObject({ name: 'InvalidPowerState' });
  const again = await client.task(await client.call('PowerOnVM_Task', vm));
  expect(at(again.info, 'error/fault')?.attributes.get('type')).toBe('InvalidPowerState');
  await client.task(await client.call('PowerOffVM_Task', vm));
});

test('an export gives disks whose manifest is right, locks the machine, and ends with Complete', async () => {
  const vm = await client.find('DC1/vm/Web/web-01');
  const open = await lease(await client.call('ExportVm', vm));
  expect(open.keys[0]).toMatch(/^\/vm-\d+\/ParaVirtualSCSIController0:0$/);
  const refused = await client.task(await client.call('PowerOnVM_Task', vm));
  expect(at(refused.info, 'error/fault')?.attributes.get('type')).toBe('TaskInProgress');
  const disk = await send('GET', open.urls[0] ?? '');
  expect(disk.body.subarray(0, 4).toString()).toBe('KDMV');
  const entries = each(await client.call('HttpNfcLeaseGetManifest', open.id), 'returnval');
  expect(entries).toHaveLength(1);
  expect(at(entries[0], 'sha1')?.text).toBe(createHash('sha1').update(disk.body).digest('hex'));
  expect(at(entries[0], 'size')?.text).toBe(String(disk.body.length));
  await client.call('HttpNfcLeaseComplete', open.id);
  expect((await send('GET', open.urls[0] ?? '')).status).toBe(404);
  await expect(client.call('HttpNfcLeaseProgress', open.id, '<percent>1</percent>')).rejects.toMatchObject({
    name: 'ManagedObjectNotFound',
  });
});

/** Exports web-01 with its descriptor; gives what an import needs. */
async function exported(): Promise<{ ovf: string; disks: Buffer[] }> {
  const vm = await client.find('DC1/vm/Web/web-01');
  const open = await lease(await client.call('ExportVm', vm));
  const disks: Buffer[] = [];
  for (const url of open.urls) disks.push((await send('GET', url)).body);
  await client.call('HttpNfcLeaseComplete', open.id);
  const files = open.keys.map(
    (key, index) =>
      `<ovfFiles><deviceId>${key}</deviceId><path>disk-${index}.vmdk</path><size>${disks[index]?.length}</size></ovfFiles>`,
  );
  const [type, id] = vm.split(' ');
  const made = await client.call(
    'CreateDescriptor',
    'OvfManager',
    `<obj type="${type}">${id}</obj><cdp>${files.join('')}</cdp>`,
  );
  return { ovf: at(made, 'returnval/ovfDescriptor')?.text ?? '', disks };
}

async function importLease(ovf: string, name: string) {
  const pool = (await client.find('DC1/host/Cluster1/Resources')).split(' ')[1];
  const store = (await client.find('DC1/datastore/datastore2')).split(' ')[1];
  const vmFolder = (await client.find('DC1/vm')).split(' ')[1];
  const escaped = ovf.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const answer = await client.raw(
    'CreateImportSpec',
    'OvfManager',
    `<ovfDescriptor>${escaped}</ovfDescriptor><resourcePool type="ResourcePool">${pool}</resourcePool><datastore type="Datastore">${store}</datastore><cisp><locale></locale><deploymentOption></deploymentOption><entityName>${name}</entityName></cisp>`,
  );
  const written = answer.body.toString();
  const spec = /<importSpec .*<\/importSpec>/s.exec(written)?.[0].replaceAll('importSpec', 'spec') ?? '';
  expect(spec, written).not.toBe('');
  return lease(
    await client.call('ImportVApp', `ResourcePool ${pool}`, `${spec}<folder type="Folder">${vmFolder}</folder>`),
  );
}

test('an import keeps the bytes, and its machine exports the same disks again', async () => {
  const { ovf, disks } = await exported();
  const open = await importLease(ovf, 'copy-01');
  expect(open.urls).toHaveLength(2);
  for (const [index, url] of open.urls.entries()) expect((await send('POST', url, {}, disks[index])).status).toBe(200);
  const entries = each(await client.call('HttpNfcLeaseGetManifest', open.id), 'returnval');
  expect(at(entries[1], 'sha1')?.text).toBe(
    createHash('sha1')
      .update(disks[1] ?? '')
      .digest('hex'),
  );
  await client.call('HttpNfcLeaseComplete', open.id);
  const copy = await client.find('DC1/vm/copy-01');
  const again = await lease(await client.call('ExportVm', copy));
  expect((await send('GET', again.urls[0] ?? '')).body.equals(disks[0] ?? Buffer.alloc(0))).toBe(true);
  await client.call('HttpNfcLeaseAbort', again.id);
});

test('a disk that was cut short ends the lease with an error and removes the half-made machine', async () => {
  const { ovf, disks } = await exported();
  const open = await importLease(ovf, 'broken-01');
  expect(await client.find('DC1/vm/broken-01')).toMatch(/^VirtualMachine/);
  const sent = await send('POST', open.urls[0] ?? '', {}, disks[0]?.subarray(0, 100_000));
  expect(sent.status).toBe(500);
  expect((await client.get(open.id, 'state'))?.text).toBe('error');
  expect(await client.find('DC1/vm/broken-01')).toBe('');
});

test('a lease without progress expires; with progress it does not', async () => {
  const { ovf } = await exported();
  await admin('options', { leaseTimeoutSeconds: 2 });
  const open = await importLease(ovf, 'late-01');
  for (let count = 0; count < 5; count++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await client.call('HttpNfcLeaseProgress', open.id, `<percent>${count}</percent>`);
  }
  await expect.poll(async () => (await client.get(open.id, 'state'))?.text, { timeout: 20_000 }).toBe('error');
  expect(await client.find('DC1/vm/late-01')).toBe('');
  expect((await send('POST', open.urls[0] ?? '', {}, 'x')).status).toBe(404);
  await admin('options', { leaseTimeoutSeconds: 300 });
});

test('fault rules fail the n-th call, send 503 with Retry-After, and cut a download', async () => {
  await admin('faults', {
    rules: [
      { method: 'CurrentTime', nth: 2, action: 'fail', fault: 'TaskInProgress' },
      { path: '/folder', action: 'status', status: 503, retryAfterSeconds: 7 },
      { path: '/nfc', action: 'cut', afterBytes: 70_000 },
    ],
  });
  await client.call('CurrentTime', 'ServiceInstance');
  await expect(client.call('CurrentTime', 'ServiceInstance')).rejects.toThrow();
  await client.call('CurrentTime', 'ServiceInstance');
  const busy = await send('GET', `${lab.url}/folder/x?dcPath=DC1&dsName=datastore1`, { cookie: client.cookie });
  expect([busy.status, busy.headers['retry-after']]).toEqual([503, '7']);
  const open = await lease(await client.call('ExportVm', await client.find('DC1/vm/Web/web-01')));
  await expect(send('GET', open.urls[0] ?? '')).rejects.toThrow();
  expect((await send('GET', open.urls[0] ?? '')).status).toBe(200);
  await client.call('HttpNfcLeaseAbort', open.id);
  await admin('faults', {});
});

test('the datastore keeps uploaded files and serves ranges of them to who is logged in', async () => {
  const url = `${lab.url}/folder/a%20b/f.bin?dcPath=DC1&dsName=datastore1`;
  const bytes = Buffer.from('0123456789');
  expect((await send('PUT', url, {}, bytes)).status).toBe(401);
  expect((await send('PUT', url, { cookie: client.cookie }, bytes)).status).toBe(201);
  const part = await send('GET', url, { cookie: client.cookie, range: 'bytes=3-5' });
  expect([part.status, part.body.toString(), part.headers['content-range']]).toEqual([206, '345', 'bytes 3-5/10']);
  expect((await send('GET', url, { cookie: client.cookie, range: 'bytes=10-' })).status).toBe(416);
  expect(
    (await send('GET', `${lab.url}/folder/..%2f..%2fstate.db?dcPath=DC1&dsName=datastore1`, { cookie: client.cookie }))
      .status,
  ).toBe(400);
});

test('a restart keeps certificate, machines and bytes, ends sessions and removes half-made machines', async () => {
  const { ovf } = await exported();
  await importLease(ovf, 'half-01');
  const before = lab;
  await lab.close();
  await start();
  expect([lab.fingerprint, lab.hostFingerprint]).toEqual([before.fingerprint, before.hostFingerprint]);
  expect(await client.find('DC1/vm/half-01')).toBe('');
  expect(await client.find('DC1/vm/copy-01')).toMatch(/^VirtualMachine/);
  const open = await lease(await client.call('ExportVm', await client.find('DC1/vm/copy-01')));
  expect((await send('GET', open.urls[1] ?? '')).body.length).toBeGreaterThan(3_000_000);
  await client.call('HttpNfcLeaseAbort', open.id);
});
