import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import { createLog } from '../../src/base/log.ts';
import { readRoots } from '../../src/node/roots.ts';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import { Installation } from './installation.ts';
import { faultCode, Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

let site: Installation;
let terminal: Terminal;

beforeAll(async () => {
  terminal = await Terminal.open();
  site = await Installation.start({ vcenterWorld, directorWorld });
  await terminal.signIn(site.account);
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
});

const cloud = async (name: string) => {
  const found = (await site.client.listClouds({})).clouds.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no cloud ${name}`);
  return found;
};
const job = (id: string) => site.client.getJob({ job: id });
const untilJob = (id: string, fits: (view: JobView) => boolean, otherwise: string) =>
  site.until(async () => (fits(await job(id)) ? true : undefined), 60, otherwise);

/** Its administrator gives the cloud a new certificate and starts it again. */
async function replaceCertificate(name: 'vcenter' | 'director', file: string): Promise<void> {
  await site.kill(name);
  await rm(join(site.folder, name, file));
  await site.revive(name);
}

const FILES = { vcenter: 'vcenter.lab.pem.json', director: 'certificate.json' };

test.each([
  ['vcenter', 'vc', 'vc/DC1/vm/Web/web-01', 'vcd/vdc1'],
  ['director', 'vcd', 'vc/DC1/vm/Web/web-01', 'vcd/vdc1'],
] as const)(
  'a certificate of %s that changed in the middle of a copy waits for a yes, and the copy goes on',
  {
    timeout: 240_000,
  },
  async (part, name, source, destination) => {
    const before = await cloud(name);
    await site.until(
      async () => (await site.client.getCloudCertificate({ cloud: before.id })).confirmed,
      20,
      'it was never looked at',
    );
    await site.labCall('vcenter', 'POST', '/faults', { bytesPerSecond: { host: 1_000_000 } });
    const { id } = await site.copy({ source, destination, name: `through-${part}` });
    await untilJob(id, ({ progress }) => (progress?.doneBytes ?? 0) > 0, 'nothing moves');
    await replaceCertificate(part, FILES[part]);
    await site.labCall('vcenter', 'POST', '/faults', {});
    const waiting = await site.until(
      async () => {
        const view = await job(id);
        return view.state === 'waiting' ? view : undefined;
      },
      90,
      'it does not wait',
    );
    expect(waiting.failure).toBeUndefined();
    // A second one is begun meanwhile.
    const later = await site.copy({ source, destination, name: `later-${part}` });
    await untilJob(later.id, ({ state }) => state === 'waiting', 'the second one does not wait');
    await sleep(3_000);
    for (const one of [id, later.id]) expect((await job(one)).state).toBe('waiting');
    expect((await job(later.id)).steps.find(({ state }) => state === 'running')?.text).toContain('confirmed was');

    const shown = await site.client.getCloudCertificate({ cloud: before.id });
    expect(shown.changed).toBe(true);
    expect(shown.confirmed?.sha256).toBe(before.trust.kind === 'pin' ? before.trust.sha256 : '');
    expect(shown.seen?.sha256).toBe(site.lab(part).ready.fingerprint);
    expect(shown.confirmed?.sha256).not.toBe(shown.seen?.sha256);

    const asked = await terminal.run(['clouds', 'trust', name]);
    expect(faultCode(asked)).toBe('cloud.untrusted');
    for (const one of [shown.confirmed, shown.seen]) {
      expect(asked.stderr).toContain(one?.sha256.replace(/..(?=.)/g, '$&:'));
      for (const word of [one?.subject, one?.issuer, one?.validTo]) expect(asked.stderr).toContain(word);
    }
    const wrong = await terminal.run(['clouds', 'trust', name, '--fingerprint', '1'.repeat(64), '--json']);
    expect(faultCode(wrong)).toBe('cloud.untrusted');
    const { certificate: stranger } = await createIdentity('somebody else');
    const body = { trust: { kind: 'ca' as const, pem: stranger } };
    await expect(site.client.trustCloud({ cloud: before.id, body })).rejects.toMatchObject({ code: 'cloud.untrusted' });
    expect((await cloud(name)).trust).toEqual(before.trust);
    expect((await job(id)).state).toBe('waiting');

    const yes = await terminal.run(['clouds', 'trust', name, '--fingerprint', shown.seen?.sha256 ?? '']);
    expect(yes.code, yes.stderr).toBe(0);
    // The source can be read by one at a time: the witness comes when both copies have ended.
    const ends = [await site.end(id), await site.end(later.id)];
    for (const end of ends) {
      expect([end.state, end.failure]).toEqual(['succeeded', undefined]);
      expect(await roots('director', end.result?.object.id ?? '')).toEqual(await sourceRoots());
    }
    expect((await site.client.getCloudCertificate({ cloud: before.id })).changed).toBe(false);
  },
);

async function sourceRoots(): Promise<string[]> {
  const { objects } = await site.client.listObjects({
    query: { cloud: (await cloud('vc')).id, path: '/DC1/vm/Web/web-01' },
  });
  return roots('vcenter', objects[0]?.id ?? '');
}

/** Read by a session of our own. */
async function roots(name: 'vcenter' | 'director', object: string): Promise<string[]> {
  const lab = site.lab(name);
  const { password = '', ...options } = lab.options;
  const settings = { driver: lab.driver, options, fingerprint: lab.ready.fingerprint, object };
  return (await readRoots(settings, password, createLog('test', 'silent'))).disks.map((disk) => disk.root);
}
