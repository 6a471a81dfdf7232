import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { driver } from '../../src/drivers/cloud-director/index.ts';
import type { Cloud } from '../../src/drivers/driver.ts';
import { type Lab, startLab } from './cloud-director/lab.ts';
import {
  again,
  expectFault,
  exportRoots,
  madeMedia,
  madePackage,
  named,
  newWork,
  requestFor,
  runImport,
  snapshot,
} from './conformance/work.ts';
import { conformance } from './conformance.ts';

const MIB = 1024 * 1024;

conformance('cloud-director', startLab);

describe('cloud-director', () => {
  let lab: Lab;
  let cloud: Cloud;
  const signal = () => AbortSignal.timeout(30_000);
  beforeAll(async () => {
    lab = await startLab();
    cloud = await driver.connect(lab.settings, signal());
  });
  afterAll(async () => {
    await cloud?.close();
    await lab?.close();
  });

  const uploads = { method: 'PUT', path: '/transfer/*.vmdk', times: 0, action: { kind: 'delay', milliseconds: 0 } };
  const begins = {
    method: 'POST',
    path: '/api/catalog/*/action/upload',
    times: 0,
    action: { kind: 'delay', milliseconds: 0 },
  };
  const seen = async (path: string) => {
    const { rules } = JSON.parse(await lab.rules()) as { rules: { rule: { path?: string }; seen: number }[] };
    return rules.find(({ rule }) => rule.path === path)?.seen;
  };
  const roots = (made: ReturnType<typeof madePackage>) => [...made.contents.values()].map((content) => content.root());
  const left = async () => {
    const { uploads: up, downloads, leftoverDisks, leftoverTransfers } = await lab.state();
    return { up, downloads, leftoverDisks, leftoverTransfers };
  };
  const nothingLeft = () =>
    expect.poll(left).toEqual({ up: 0, downloads: 0, leftoverDisks: [], leftoverTransfers: [] });

  test('the inventory tells owners, and metadata of people as tags', async () => {
    const entry = (key: string, value: string) =>
      `<MetadataEntry><Domain visibility="READWRITE">GENERAL</Domain><Key>${key}</Key><TypedValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="MetadataStringValue"><Value>${value}</Value></TypedValue></MetadataEntry>`;
    const objects = await snapshot(cloud);
    const vm = objects.find(({ kind, name }) => kind === 'vm' && name === 'web');
    const path = `/api/vApp/vm-${vm?.id.split(':').at(-1)}/metadata`;
    const body = `<Metadata xmlns="http://www.vmware.com/vcloud/v1.5">${entry('tier', 'front')}${entry('cloudspan.marker', 'x')}</Metadata>`;
    await lab.api('POST', path, body, 'application/vnd.vmware.vcloud.metadata+xml');
    const read = await cloud.inventory.get(vm?.id ?? '', signal());
    expect(read.tags).toEqual(['tier=front']);
    expect(read.owner).toMatch(/./);
    const shop = await cloud.inventory.get(read.parent ?? '', signal());
    expect(shop).toMatchObject({ name: 'shop', owner: read.owner });
    expect((await snapshot(cloud)).find(({ id }) => id === vm?.id)).toEqual(read);
  });

  test('an upload goes on where the cloud says after a cut, an ended session and a 416, in one run', async () => {
    for (const action of [
      { kind: 'cut', afterBytes: 700_000 },
      { kind: 'expire-sessions' },
      { kind: 'fail', status: 416, code: 'BAD_REQUEST' },
    ]) {
      const made = madePackage(`one run ${action.kind}`, [6 * MIB]);
      await lab.setRules([uploads, begins, { method: 'PUT', path: '/transfer/*.vmdk*', action }]);
      const result = await runImport(lab, cloud, made);
      expect(await seen(uploads.path)).toBe(2);
      expect(await seen(begins.path)).toBe(1);
      expect(result.checksums['machine-0/disk-0']).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect((await exportRoots(cloud, result.object.id)).roots).toEqual(roots(made));
    }
    await nothingLeft();
  });

  test('an image of a disc goes on in the middle in one run and in the next, and a VDC takes none', async () => {
    const made = madeMedia('middle.iso', 6 * MIB + 3);
    const puts = { method: 'PUT', path: '/transfer/*/file', times: 0, action: { kind: 'delay', milliseconds: 0 } };
    for (const action of [{ kind: 'cut', afterBytes: 3 * MIB + 5 }, { kind: 'expire-sessions' }]) {
      await lab.setRules([puts, begins, { method: 'PUT', path: '/transfer/*/file*', action }]);
      const result = await runImport(lab, cloud, made, { name: `${action.kind}.iso` });
      expect([await seen(puts.path), await seen(begins.path)]).toEqual([2, 1]);
      expect((await exportRoots(cloud, result.object.id)).roots).toEqual(roots(made));
    }
    const work = newWork();
    await lab.setRules([begins, { ...puts, times: 5, action: { kind: 'cut', afterBytes: 0 } }]);
    await expectFault(runImport(lab, cloud, made, {}, work), lab, 'cloud.unreachable');
    expect(work.ledger.rows[0]).toMatchObject({ kind: 'media', state: 'made' });
    const { object } = await runImport(lab, cloud, made, {}, again(work));
    expect(await seen(begins.path)).toBe(1);
    expect((await exportRoots(cloud, object.id)).roots).toEqual(roots(made));

    const intoVdc = { destination: lab.machines, name: 'other.iso' };
    const fault = await expectFault(runImport(lab, cloud, made, intoVdc), lab, 'object.wrong-kind');
    expect(fault.remedy).toContain('catalog');
    const checks = await cloud.imports!.check(requestFor(lab, made, intoVdc), signal());
    expect(checks.map(({ name, outcome }) => [name, outcome])).toEqual([['destination', 'fail']]);
    await nothingLeft();
  });

  test('a second run goes on with the upload of the first, also when the first could not note its id', async () => {
    const made = madePackage('second run', [6 * MIB, 2 * MIB]);
    const work = newWork();
    await lab.setRules([
      { method: 'PUT', path: '/transfer/*disk-1.vmdk', times: 0, action: { kind: 'cut', afterBytes: 0 } },
    ]);
    await expectFault(runImport(lab, cloud, made, {}, work), lab, 'cloud.unreachable');
    const row = work.ledger.rows[0]!;
    expect(row).toMatchObject({ kind: 'template', role: 'temporary template', state: 'made' });
    const { objectId: _, ...withoutId } = row;
    work.ledger.rows[0] = { ...withoutId, state: 'intent' };
    await lab.setRules([
      begins,
      { ...uploads, path: '/transfer/*disk-0.vmdk' },
      { ...uploads, path: '/transfer/*disk-1.vmdk' },
    ]);
    const result = await runImport(lab, cloud, made, {}, again(work));
    expect([
      await seen(begins.path),
      await seen('/transfer/*disk-0.vmdk'),
      await seen('/transfer/*disk-1.vmdk'),
    ]).toEqual([0, 0, 1]);
    expect((await exportRoots(cloud, result.object.id)).roots).toEqual(roots(made));
    await nothingLeft();
  });

  test('an upload by another encoder is begun again and not continued', async () => {
    const made = madePackage('other encoder', [3 * MIB]);
    const work = newWork();
    const name = `other encoder [cloudspan ${work.marker}]`;
    await work.ledger.intend({ action: 'create', kind: 'template', role: 'temporary template', name });
    const catalog = `/api/catalog/${lab.templates.slice(-36)}/action/upload`;
    const body = `<UploadVAppTemplateParams xmlns="http://www.vmware.com/vcloud/v1.5" name="${name}" manifestRequired="true"><Description>vmdk-0/zlib-1/x64/level-9</Description></UploadVAppTemplateParams>`;
    await lab.api('GET', '/api/session');
    await lab.upload(catalog, body);
    await lab.setRules([begins]);
    const result = await runImport(lab, cloud, made, {}, again(work));
    expect(await seen(begins.path)).toBe(1);
    expect((await exportRoots(cloud, result.object.id)).roots).toEqual(roots(made));
    await nothingLeft();
  });

  test('a task that fails is a fault with the message of the cloud, and undo leaves nothing', async () => {
    for (const operation of ['vdcUploadOvfContents', 'vdcInstantiateVapp']) {
      const made = madePackage(`failed ${operation}`, [2 * MIB]);
      const work = newWork();
      await lab.setRules([{ on: 'task', operation, action: { kind: 'fail', message: 'The datastore is on fire.' } }]);
      const fault = await expectFault(runImport(lab, cloud, made, {}, work), lab, 'cloud.failed');
      expect(fault.message).toContain('The datastore is on fire.');
      await cloud.imports!.undo(again(work));
      expect(work.ledger.rows.filter(({ state }) => state === 'intent' || state === 'made')).toEqual([]);
      expect(await named(cloud, made.description.name)).toEqual([]);
      await nothingLeft();
    }
  });

  test('whichever changing call loses its answer, the next run ends with one object and nothing else', async () => {
    let count = 0;
    for (const method of ['POST', 'PUT', 'DELETE']) {
      for (let nth = 1; nth < 30; nth++) {
        const made = madePackage(`${method} ${nth}`, [MIB]);
        const rule = { method, path: '/api/*', nth, action: { kind: 'cut' } };
        await lab.setRules([rule]);
        const work = newWork();
        const before = (await lab.state()).entities;
        const first = await runImport(lab, cloud, made, {}, work).then(
          () => undefined,
          (error: unknown) => error,
        );
        const hit = ((await seen(rule.path)) ?? 0) >= nth;
        if (!hit) break;
        count++;
        if (first !== undefined) {
          expect(first).toMatchObject({ code: 'cloud.unreachable', retry: 'soon' });
          await runImport(lab, cloud, made, {}, again(work));
        }
        const after = (await lab.state()).entities;
        expect({ ...after, at: nth }).toEqual({ ...before, vapp: before.vapp! + 1, vm: before.vm! + 1, at: nth });
        const standing = work.ledger.rows.filter(({ state }) => state === 'intent' || state === 'made');
        expect(standing.map(({ kind }) => kind)).toEqual(['vapp']);
      }
    }
    expect(count).toBeGreaterThanOrEqual(5);
    await nothingLeft();
  }, 120_000);

  test('a download goes on by a range in the middle of a disk', async () => {
    const path = '/transfer/*.vmdk';
    await lab.setRules([{ method: 'GET', path, action: { kind: 'cut', afterBytes: 1_200_000 } }]);
    const { roots: read } = await exportRoots(cloud, lab.vm.id);
    expect(read).toEqual(lab.vm.disks.map((disk) => disk.root));
    expect(await seen(path)).toBe(2);
    await nothingLeft();
  });

  test('an export that is ended while its files are laid out leaves no download area behind', async () => {
    const rule = { on: 'task', operation: 'vappEnableDownload', action: { kind: 'delay', milliseconds: 900 } };
    await lab.setRules([rule]);
    const stop = new AbortController();
    const work = newWork(stop.signal);
    const opening = cloud.exports!.open(lab.vm.id, work);
    const ended = expect(opening).rejects.toThrow('no longer wanted');
    await expect
      .poll(() => work.ledger.rows.map(({ state, objectId }) => [state, objectId]))
      .toEqual([['intent', expect.stringMatching(/^urn:vcloud:vapp:/)]]);
    setTimeout(() => stop.abort(new Error('no longer wanted')), 300);
    await ended;
    expect(work.ledger.rows.map(({ state }) => state)).toEqual(['removed']);
    await nothingLeft();
  });

  test('a download area of an attempt that was killed is given back, also when another row cannot be undone', async () => {
    await lab.setRules([]);
    const work = newWork();
    const alone = await lab.uuidOf('vApp', 'alone');
    const row = await work.ledger.intend({ action: 'create', kind: 'download', role: 'download area', name: 'alone' });
    await work.ledger.settle(row, 'intent', `urn:vcloud:vapp:${alone}`);
    await lab.api('POST', `/api/vApp/vapp-${alone}/action/enableDownload`);
    await runImport(lab, cloud, madePackage('stays', [MIB]), {}, work);
    await lab.setRules([
      { method: 'DELETE', path: '/api/vApp/*', action: { kind: 'fail', status: 400, message: 'It may not go.' } },
    ]);
    const fault = await expectFault(cloud.imports!.undo(again(work)), lab, 'cloud.failed');
    expect(fault.message).toContain('It may not go.');
    expect(work.ledger.rows.find(({ kind }) => kind === 'download')?.state).toBe('removed');
    await nothingLeft();
    await cloud.imports!.undo(again(work));
    expect(await named(cloud, 'stays')).toEqual([]);
  });

  test('a download area that others opened is read and stays open', async () => {
    await lab.setRules([]);
    const golden = `/api/vAppTemplate/vappTemplate-${lab.template.id.slice(-36)}`;
    for (const [holder, source] of [
      [golden, lab.template],
      [`/api/vApp/vapp-${await lab.uuidOf('vApp', 'alone')}`, lab.vm],
    ] as const) {
      await lab.api('POST', `${holder}/action/enableDownload`);
      const work = newWork();
      const { roots: read } = await exportRoots(cloud, source.id, work);
      expect(read).toEqual(source.disks.map((disk) => disk.root));
      expect(work.ledger.rows).toEqual([]);
      expect((await left()).downloads).toBe(1);
      await lab.api('POST', `${holder}/action/disableDownload`);
    }
    await nothingLeft();
  });

  test("the provider's copies go by way of a catalog of the VDC's own organization", async () => {
    const options = { ...lab.settings.options, organization: 'System', username: 'administrator' };
    const provider = await driver.connect({ ...lab.settings, options }, signal());
    try {
      const catalog = (await provider.imports!.placement(lab.machines, signal())).find(
        ({ name }) => name === 'catalog',
      );
      expect(catalog).toMatchObject({ default: lab.templates, choices: [{ value: lab.templates }] });
      const made = madePackage('across', [MIB]);
      const elsewhere = runImport(lab, provider, made, { placement: { catalog: 'elsewhere' } });
      expect((await expectFault(elsewhere, lab, 'input.invalid')).message).toContain('there is no "elsewhere"');
    } finally {
      await provider.close();
    }
  });

  test('a VM of a vApp leaves alone, and is refused with a reason while its neighbour runs', async () => {
    const objects = await cloud.inventory.get(lab.vapp.id, signal());
    expect(objects.machine?.machines).toBe(2);
    const db = `urn:vcloud:vm:${await lab.uuidOf('vm', 'db')}`;
    const web = `urn:vcloud:vm:${await lab.uuidOf('vm', 'web')}`;
    const { description, roots: read } = await exportRoots(cloud, db);
    expect(description).toMatchObject({ kind: 'vm', name: 'db', machines: [{ name: 'db' }], startOrder: [] });
    expect(read).toEqual([lab.vapp.disks[2]!.root]);
    const { version: before } = await exportRoots(cloud, db);
    await cloud.power!.apply(web, 'on', signal());
    const fault = await expectFault(cloud.exports!.open(db, newWork()), lab, 'machine.running');
    expect(fault.message).toContain('"db" is off, but its vApp "shop" also holds running machines (web)');
    const [state] = await cloud.exports!.check(db, signal());
    expect(state).toMatchObject({ name: 'vapp-powered-off', outcome: 'fail' });
    expect((await cloud.exports!.check(web, signal()))[0]).toMatchObject({
      name: 'machine-powered-off',
      outcome: 'fail',
    });
    await cloud.power!.apply(lab.vapp.id, 'off', signal());
    const open = await cloud.exports!.open(db, newWork());
    await open.close('abandoned');
    expect(open.version).not.toBe(before);
  });

  test('a standalone VM stands in its VDC, its hidden vApp does not show, and it leaves and is switched like any other', async () => {
    const golden = await lab.uuidOf('vAppTemplate', 'golden');
    const document = await lab.api('GET', `/api/vAppTemplate/vappTemplate-${golden}`);
    const source = /href="([^"]+\/vAppTemplate\/vm-[0-9a-f-]{36})"/.exec(document)?.[1];
    const body = `<InstantiateVmTemplateParams xmlns="http://www.vmware.com/vcloud/v1.5" name="lonely" powerOn="false"><SourcedVmTemplateItem><Source href="${source}"/></SourcedVmTemplateItem><AllEULAsAccepted>true</AllEULAsAccepted></InstantiateVmTemplateParams>`;
    const type = 'application/vnd.vmware.vcloud.instantiateVmTemplateParams+xml';
    await lab.api('POST', `/api/vdc/${lab.machines.slice(-36)}/action/instantiateVmFromTemplate`, body, type);
    const objects = await snapshot(cloud);
    const [lonely, ...more] = objects.filter(({ name }) => name === 'lonely');
    expect(more).toEqual([]);
    expect(lonely).toMatchObject({ kind: 'vm', parent: lab.machines, machine: { disks: 1, power: 'off' } });
    expect(await cloud.inventory.get(lonely!.id, signal())).toEqual(lonely);
    const { description, roots: read } = await exportRoots(cloud, lonely!.id);
    expect(description.kind).toBe('vm');
    expect(read).toEqual([lab.template.disks[0]!.root]);
    await cloud.power!.apply(lonely!.id, 'on', signal());
    await expectFault(cloud.exports!.open(lonely!.id, newWork()), lab, 'machine.running');
    await cloud.power!.apply(lonely!.id, 'off', signal());
    await exportRoots(cloud, lonely!.id);
    const taken = runImport(lab, cloud, madePackage('lonely', [MIB]));
    await expectFault(taken, lab, 'object.exists');
  });

  test('a storage policy, leases and a hardware version are taken from the placement, by id or by name', async () => {
    const placement = { 'storage-policy': 'gold', 'runtime-lease': '2', 'hardware-version': 'vmx-17' };
    const result = await runImport(lab, cloud, madePackage('placed', [MIB]), { placement });
    expect(result.description.machines[0]).toMatchObject({ hardwareVersion: 'vmx-17' });
    const text = await lab.api('GET', `/api/vApp/vapp-${result.object.id.slice(-36)}`);
    expect(text).toContain('<DeploymentLeaseInSeconds>7200<');
    expect(text).toMatch(/<StorageProfile [^>]*name="gold"/);
    const wrong = runImport(lab, cloud, madePackage('misplaced', [MIB]), { placement: { 'storage-policy': 'silver' } });
    expect((await expectFault(wrong, lab, 'input.invalid')).message).toContain('there is no "silver"');
    const unknown = runImport(lab, cloud, madePackage('misplaced', [MIB]), { placement: { datastore: 'gold' } });
    expect((await expectFault(unknown, lab, 'input.invalid')).message).toContain('a vdc has no placement "datastore"');
  });

  test('the checks name a policy that is too small, a network that is not there and a version that does not run', async () => {
    const made = madePackage('too much', [6 * 1024 * MIB]);
    made.description.machines[0]!.hardwareVersion = 'vmx-99';
    const request = {
      description: made.description,
      name: 'too much',
      destination: lab.machines,
      placement: { 'storage-policy': 'gold' },
      networks: { office: 'urn:vcloud:network:00000000-0000-4000-8000-000000000000' },
      keepMac: false,
      keepUuid: false,
      onNameClash: 'fail' as const,
      properties: {},
      acceptEulas: false,
    };
    const failed = (await cloud.imports!.check(request, signal())).filter(({ outcome }) => outcome === 'fail');
    expect(failed.map(({ name }) => name)).toEqual(['space', 'hardware-version', 'networks']);
    expect(failed.every(({ remedy }) => remedy)).toBe(true);
  });

  test('a finished vApp that is powered on is left alone by undo, with a sentence', async () => {
    const work = newWork();
    const { object } = await runImport(lab, cloud, madePackage('in use', [MIB]), {}, work);
    const at = work.ledger.rows.findIndex(({ kind }) => kind === 'vapp');
    await cloud.power!.apply(object.id, 'on', signal());
    const fault = await expectFault(cloud.imports!.undo(again(work)), lab, 'object.in-use');
    expect(fault.message).toContain('"in use" was left alone');
    expect(work.ledger.rows[at]!.state).toBe('made');
    await cloud.power!.apply(object.id, 'off', signal());
    await cloud.imports!.undo(again(work));
    expect(work.ledger.rows[at]!.state).toBe('removed');
  });

  test('an API token signs in without a password, and a wrong one is refused', async () => {
    const made = JSON.parse(
      await lab.api('POST', `/oauth/tenant/org1/register`, '{"client_name":"t"}', 'application/json'),
    );
    const form = `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&client_id=${made.client_id}&assertion=${lab.token()}`;
    const token = JSON.parse(
      await lab.api('POST', '/oauth/tenant/org1/token', form, 'application/x-www-form-urlencoded'),
    );
    const options = { url: lab.sim.url, organization: 'org1', 'api-token': String(token.refresh_token) };
    const signedIn = await driver.connect({ ...lab.settings, options }, signal());
    expect((await signedIn.about(signal())).user).toBe(`${lab.sim.user}@org1`);
    await signedIn.close();
    const wrong = driver.connect({ ...lab.settings, options: { ...options, 'api-token': 'nonsense' } }, signal());
    await expect(wrong).rejects.toMatchObject({ code: 'auth.refused' });
  });
});
