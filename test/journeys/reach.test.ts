import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeCertificate } from '../../src/base/tls.ts';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import type { NodesCheck } from '../../src/protocol/reach.ts';
import { Installation } from './installation.ts';
import { Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

/** Two private nodes over IPv6; each cloud lets in its own node's process and nobody else. */
let site: Installation;
let terminal: Terminal;

beforeAll(async () => {
  terminal = await Terminal.open();
  site = await Installation.start({
    ...{ vcenterWorld, directorWorld, host: '::1', publicDestination: false, admits: 'own-node' },
  });
  await terminal.signIn(site.account);
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
});

const slow = (bytesPerSecond?: number) =>
  site.labCall(
    'vcenter',
    'POST',
    '/faults',
    bytesPerSecond === undefined ? {} : { bytesPerSecond: { host: bytesPerSecond } },
  );

const start = (name: string) =>
  site.copy({ source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name, networks: { 'VM Network': 'net1' } });

async function arriving(job: string, bytes: number): Promise<void> {
  const enough = ({ progress, state }: JobView) =>
    (progress?.disks ?? []).reduce((sum, { arrivedBytes }) => sum + arrivedBytes, 0) >= bytes || state === 'failed';
  await site.until(async () => (enough(await site.client.getJob({ job })) ? true : undefined), 60, 'nothing arrives');
}

function expectProof({ state, failure, receipt }: JobView): void {
  expect(failure, JSON.stringify(failure)).toBeUndefined();
  expect(state).toBe('succeeded');
  expect(receipt?.disks.length).toBeGreaterThan(0);
  for (const disk of receipt?.disks ?? []) expect(disk.destinationRoot).toBe(disk.sourceRoot);
}

describe('two private nodes', () => {
  it('are drawn as two arrows that meet at the server', async () => {
    const said = await terminal.run(['nodes', 'check', 'source', 'destination']);
    expect(said.code, said.stdout + said.stderr).toBe(0);
    expect(said.stdout).toMatch(/destination ──► relay: this server \(\[::1\]:\d+\) ◄── source {3}open, \d+ ms/);
    expect(said.stdout).toMatch(/✓ certificate .*key is the pinned one/);
    expect(said.stdout).toMatch(/source: private, dial-home, link \d+ ms, clock [+−]0\.\d s, key [0-9a-f]{64}/);
    const { json } = await terminal.run(['nodes', 'check', 'source', 'destination', '--json']);
    const check = json as unknown as NodesCheck;
    expect(check.open).toBe(true);
    const steps = check.ways[0]?.legs.map(({ attempts }) => attempts[0]?.steps.map(({ step }) => step));
    expect(steps).toEqual([
      ['tcp', 'tls', 'certificate', 'relay', 'ticket'],
      ['tcp', 'tls', 'certificate', 'relay'],
    ]);
  });

  it('copy through it while every part is killed, and neither cloud lets anybody else in', async () => {
    await slow(3_000_000);
    const job = await start('over the relay');
    await arriving(job.id, 2_000_000);
    await expectClosed();
    await site.kill('server');
    await site.revive('server');
    await arriving(job.id, 4_000_000);
    await site.kill('source');
    await site.revive('source');
    await site.kill('destination');
    await site.revive('destination');
    await slow();
    expectProof(await site.end(job.id, 180));
    await expectClosed();
    const { lines } = await site.client.jobLog({ job: job.id, query: {} });
    expect(lines.map(({ text }) => text).join('\n')).not.toContain('internal');
  }, 240_000);

  it('are told apart from nodes that are away', async () => {
    await site.kill('source');
    const away = await site.until(
      async () => {
        const said = await terminal.run(['nodes', 'check', 'source', 'destination']);
        return said.code === 1 ? said : undefined;
      },
      20,
      'the node is still there',
    );
    expect(away.stdout).toMatch(/blocked \(link\): .*node source/);
    await site.revive('source');
  });
});

/** Neither the other node nor this process, which is none of them, gets a byte of a cloud. */
async function expectClosed(): Promise<void> {
  const refusals = () => [...site.gates.values()].map(({ visits }) => visits.refused);
  const before = refusals();
  for (const [node, cloud, driver] of [
    ['destination', 'vcenter', 'vsphere'],
    ['source', 'director', 'cloud-director'],
  ] as const) {
    const { options } = site.gated(cloud);
    const { password: _, ...rest } = options;
    const probing = site.until(
      () =>
        site.client
          .probeCloud({ body: { node, driver, options: rest } })
          .catch((error: { code: string }) => (error.code === 'node.unreachable' ? undefined : error)),
      20,
      `node ${node} does not answer`,
    );
    expect(await probing).toMatchObject({ code: 'cloud.unreachable' });
    const gate = site.gates.get(cloud)!;
    const mine = probeCertificate({ host: gate.host, port: gate.port }, AbortSignal.timeout(5000));
    await expect(mine).rejects.toMatchObject({ code: 'cloud.unreachable' });
  }
  expect(refusals().map((count, index) => count - before[index]!)).toEqual([2, 0, 2]);
  for (const { visits } of site.gates.values()) expect(visits.let).toBeGreaterThan(0);
}
