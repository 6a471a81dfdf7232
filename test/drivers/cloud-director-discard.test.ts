import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { driver } from '../../src/drivers/cloud-director/index.ts';
import type { Cloud } from '../../src/drivers/driver.ts';
import { type Lab, startLab } from './cloud-director/lab.ts';
import { expectFault } from './conformance/work.ts';

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

/** A task of somebody. */
async function renewLease(vapp: string): Promise<string> {
  const type = 'application/vnd.vmware.vcloud.leaseSettingsSection+xml';
  const lease = '<DeploymentLeaseInSeconds>0</DeploymentLeaseInSeconds>';
  const body =
    '<LeaseSettingsSection xmlns="http://www.vmware.com/vcloud/v1.5" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">' +
    `<ovf:Info>Lease</ovf:Info>${lease}</LeaseSettingsSection>`;
  return lab.api('PUT', `/api/vApp/vapp-${vapp.slice(-36)}/leaseSettingsSection`, body, type);
}

const slowly = { on: 'task', operation: 'vappUpdateVapp', action: { kind: 'delay', milliseconds: 1500 } };
/** Address of the task that the cloud made of a call. */
const taskOf = (answer: Promise<string>) => answer.then((text) => /href="([^"]+\/task\/[^"]+)"/.exec(text)?.[1] ?? '');

test.each(['shop', 'alone'])('ends no task of somebody on "%s", which is not discarded', async (name) => {
  const vapp = `urn:vcloud:vapp:${await lab.uuidOf('vApp', name)}`;
  const id = name === 'alone' ? `urn:vcloud:vm:${await lab.uuidOf('vm', name)}` : vapp;
  const version = async () => (await cloud.objects!.look(id, signal()))?.version ?? '';
  const first = await version();

  await lab.setRules([slowly]);
  const before = taskOf(renewLease(vapp));
  await sleep(200);
  await expectFault(cloud.sources!.discard(id, first, signal()), lab, 'object.busy');
  expect(await lab.api('GET', new URL(await before).pathname)).toContain('status="success"');

  // One that begins once the version was read is not ended either.
  const second = await version();
  const late = { kind: 'delay', milliseconds: 600, when: 'after' };
  await lab.setRules([slowly, { method: 'GET', path: '/api/query*', times: 0, action: late }]);
  const discarded = expectFault(cloud.sources!.discard(id, second, signal()), lab, 'object.busy');
  await sleep(250);
  const during = taskOf(renewLease(vapp));
  await discarded;
  expect(await lab.api('GET', new URL(await during).pathname)).toContain('status="success"');

  await lab.setRules([]);
  await cloud.sources!.discard(id, await version(), signal());
  expect(await cloud.objects!.look(id, signal())).toBeNull();
});

test('a machine that ran since is not discarded, though it is off again', async () => {
  const id = `urn:vcloud:vm:${await lab.uuidOf('vm', 'spare')}`;
  const version = (await cloud.objects!.look(id, signal()))?.version ?? '';
  await cloud.power!.apply(id, 'on', signal());
  await cloud.power!.apply(id, 'off', signal());
  await expectFault(cloud.sources!.discard(id, version, signal()), lab, 'object.changed');
  expect(await cloud.objects!.look(id, signal())).toMatchObject({ id, power: 'off' });
});
