import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Govc } from './govc.ts';
import { type Lab, startLab } from './lab.ts';
import { outcome } from './program.ts';
import { TemporaryFolder } from './temporary-folder.ts';
import { missing, pathOf, scripts } from './witnesses.ts';

interface Line {
  about?: string;
  session?: string;
  inventory?: [type: string, name: string, properties: number][];
  disks?: number[];
  power?: string;
  kind?: string;
}

const SCRIPT = join(scripts, 'watch_vcenter.py');

describe.skipIf(missing('pyvmomi against the vCenter lab', ['python', 'govc']))('pyvmomi', () => {
  let folder: TemporaryFolder;
  let lab: Lab;
  let govc: Govc;

  beforeAll(async () => {
    folder = await TemporaryFolder.make();
    lab = await startLab('vcenter', folder, 'default');
    govc = new Govc(lab, folder.at('home'));
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  const environment = (password: string) => ({
    VC_HOST: lab.host,
    VC_USER: lab.user,
    VC_PASSWORD: password,
    VC_MACHINE: 'web-01',
    VC_CHANGES: '2',
  });

  it('is told of a wrong password by the fault that it knows', async () => {
    const { status, stdout } = await outcome(pathOf('python'), [SCRIPT], { environment: environment('not it') });
    expect(status).toBe(3);
    expect(stdout).toMatch(/incorrect user name or password/i);
  });

  it('reads every property of the inventory in pages and sees each change of power once, as it comes', async () => {
    const child = spawn(pathOf('python'), [SCRIPT], {
      env: { ...process.env, ...environment(lab.password) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), 50_000);
    const exited = new Promise<number | null>((done) => child.once('close', done));
    let complaints = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaints += chunk.toString('utf8');
    });
    const lines: Line[] = [];
    try {
      for await (const text of createInterface({ input: child.stdout })) {
        const line = JSON.parse(text) as Line;
        lines.push(line);
        if (line.power === undefined) continue;
        const powers = lines.filter((one) => one.power !== undefined).length;
        if (powers === 1) await govc.run('vm.power', '-on', 'web-01');
        if (powers === 2) await govc.run('vm.power', '-off', 'web-01');
      }
      expect(await exited, complaints).toBe(0);
    } finally {
      clearTimeout(timer);
      child.kill('SIGKILL');
    }
    expect(lines[0]).toMatchObject({ about: 'VirtualCenter' });
    expect(lines[0]?.session?.toLowerCase()).toContain('administrator');
    const objects = lines[1]?.inventory ?? [];
    const inventory = objects.map(([type, name]) => [type, name]);
    for (const expected of [
      ['vim.Datacenter', 'DC1'],
      ['vim.ClusterComputeResource', 'Cluster1'],
      ['vim.HostSystem', 'esx1.lab'],
      ['vim.ResourcePool', 'Production'],
      ['vim.Datastore', 'datastore1'],
      ['vim.dvs.DistributedVirtualPortgroup', 'DPG-Web'],
      ['vim.VirtualMachine', 'web-01'],
      ['vim.VirtualApp', 'shop'],
      ['vim.Folder', 'Databases'],
    ])
      expect(inventory).toContainEqual(expected);
    expect(new Set(inventory.map((one) => one.join('/'))).size).toBe(inventory.length);
    for (const [type, name, properties] of objects) expect(properties, `${type} ${name}`).toBeGreaterThan(10);
    expect(lines[2]?.disks).toEqual([64 * 1024 * 1024, 32 * 1024 * 1024 + 512]);
    expect(lines.slice(3)).toEqual([
      { power: 'poweredOff', kind: 'enter' },
      { power: 'poweredOn', kind: 'modify' },
      { power: 'poweredOff', kind: 'modify' },
    ]);
  });
});
