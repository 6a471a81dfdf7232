import { expect, it } from 'vitest';
import { SoapClient } from '../../sims/vcenter/soap-client.ts';
import { Installation } from '../journeys/installation.ts';
import { expectLedgerSettled, expectNothingLeft, inventoryOf } from './aftermath.ts';
import { hasArrived } from './strike.ts';
import { WAYS } from './ways.ts';
import { worldsOf } from './worlds.ts';

const MiB = 1024 * 1024;

it('beyond repair: a source that is destroyed in the middle ends the copy with a fault that says so, and leaves nothing', {
  timeout: 180_000,
}, async () => {
  const source = { name: 'doomed', template: false, diskBytes: 24 * MiB, dataBytes: 22 * MiB, seed: 1 };
  await using site = await Installation.start(worldsOf((way) => (way === 'out' ? [source] : [])));
  await site.labCall('vcenter', 'POST', '/faults', { bytesPerSecond: { host: 6 * MiB } });
  const doomed = (await inventoryOf(site, 'vcenter')).find(({ name }) => name === source.name);
  const { id } = await site.copy({ source: `${WAYS.out.from}${source.name}`, destination: WAYS.out.to });
  await site.until(async () => ((await hasArrived(site, id, 0.3)) ? true : undefined), 60, 'nothing arrives');
  await site.kill('source');
  await site.labCall('vcenter', 'POST', '/end-leases', { expire: true });
  await destroy(site, doomed?.id ?? '');
  await site.revive('source');

  const job = await site.end(id, 90);
  expect(job.state).toBe('failed');
  expect(job.failure).toMatchObject({ code: 'object.missing', leftovers: [] });
  expect(job.failure?.message).toContain(`no object with the id ${doomed?.id}`);
  await expectNothingLeft(site);
  await expectLedgerSettled(site, job);
  const made = (await inventoryOf(site, 'director')).filter(({ kind }) => kind === 'vapp' || kind === 'template');
  expect(made).toEqual([]);
});

async function destroy(site: Installation, vm: string): Promise<void> {
  const { options } = site.lab('vcenter');
  const client = new SoapClient(`${options.url}`);
  await client.login(`${options.username}`, `${options.password}`);
  await client.call('Destroy_Task', `VirtualMachine ${vm}`);
  await site.until(
    async () => ((await inventoryOf(site, 'vcenter')).some(({ id }) => id === vm) ? undefined : true),
    20,
    `${vm} is still there`,
  );
}
