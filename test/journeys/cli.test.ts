import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from './installation.ts';
import { commandLines, filesWith } from './secrets.ts';
import { faultCode, Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

let site: Installation;
let terminal: Terminal;

beforeAll(async () => {
  process.env.CLOUDSPAN_LOG = 'debug';
  terminal = await Terminal.open();
  site = await Installation.start({ vcenterWorld, directorWorld });
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
});

const cloudspan = (...words: string[]) => terminal.run(words);

async function stored(): Promise<string[]> {
  return (await site.client.listClouds({})).clouds.map((cloud) => cloud.name).toSorted();
}

async function slowDown(bytesPerSecond: number | undefined): Promise<void> {
  const body = bytesPerSecond === undefined ? {} : { bytesPerSecond: { host: bytesPerSecond } };
  await site.labCall('vcenter', 'POST', '/faults', body);
}

describe('login', () => {
  it('is refused without a confirmed fingerprint, with a wrong one, and with a wrong password', async () => {
    const { host, fingerprint, password } = site.account;
    const bare = await terminal.run(['login', host, '--json'], { CLOUDSPAN_PASSWORD: password });
    expect(faultCode(bare)).toBe('cloud.untrusted');
    expect(bare.stderr.toLowerCase().replaceAll(':', '')).toContain(fingerprint);
    const wrong = ['login', host, '--json', '--fingerprint', '0'.repeat(64)];
    expect(faultCode(await terminal.run(wrong, { CLOUDSPAN_PASSWORD: password }))).toBe('cloud.untrusted');
    const right = ['login', host, '--json', '--fingerprint', fingerprint];
    expect(faultCode(await terminal.run(right, { CLOUDSPAN_PASSWORD: 'wrong' }))).toBe('auth.refused');
    expect(faultCode(await cloudspan('nodes', 'list'))).toBe('auth.required');
  });

  it('keeps a session that only its owner can read, without the password', async () => {
    const { host, fingerprint, password } = site.account;
    const said = await terminal.run(['login', host, '--json', '--fingerprint', fingerprint], {
      CLOUDSPAN_PASSWORD: password,
    });
    expect(said.code, said.stderr).toBe(0);
    expect(said.json).toMatchObject({ user: 'admin', server: `https://${host}` });
    expect((await stat(join(terminal.home, 'session.json'))).mode & 0o777).toBe(0o600);
    expect(await filesWith(terminal.home, [password])).toEqual([]);
  });
});

describe('nodes and clouds', () => {
  it('are listed, for people and as JSON', async () => {
    const nodes = (await cloudspan('nodes', 'list', '--json')).json.nodes as { name: string; connected: boolean }[];
    expect(nodes.map(({ name, connected }) => [name, connected]).toSorted()).toEqual([
      ['destination', true],
      ['source', true],
    ]);
    const clouds = (await cloudspan('clouds', 'list', '--json')).json.clouds as { name: string; state: string }[];
    expect(clouds.map(({ name, state }) => [name, state]).toSorted()).toEqual([
      ['vc', 'connected'],
      ['vcd', 'connected'],
    ]);
    expect((await cloudspan('clouds', 'list')).stdout).toMatch(/^NAME +STATE[\s\S]*^vcd +connected/m);
    expect((await cloudspan('clouds', 'test', 'vc')).stdout).toContain('answers');
  });

  it('are checked again step by step, and say what works there', async () => {
    const said = await cloudspan('clouds', 'check', 'vc');
    expect(said.code, said.stderr).toBe(0);
    expect(said.stdout).toMatch(
      /^pass +tcp [\s\S]*^pass +certificate [\s\S]*^pass +privileges [\s\S]*^works +copy-out /m,
    );
    const known = (await site.client.listClouds({})).clouds.find(({ name }) => name === 'vcd');
    expect(known?.checked?.checks.map(({ name }) => name)).toContain('login');
    const json = await cloudspan('clouds', 'check', 'vcd', '--json');
    expect(json.json).toMatchObject({ certificate: { sha256: site.lab('director').ready.fingerprint } });
  });

  it('are not added with a wrong organization, and the answer names step and cause', async () => {
    const lab = site.lab('director');
    const words = ['clouds', 'add', 'bad', '--driver', 'cloud-director', '--node', 'destination', '--json'];
    const account = ['--url', lab.options.url ?? '', '--username', 'x', '--organization', 'no-such-org'];
    const said = await terminal.run([...words, ...account, '--fingerprint', lab.ready.fingerprint], {
      CLOUD_PASSWORD: 'x',
    });
    const { details } = said.json.fault as { details: { step: string; reason: string; steps: string[] } };
    expect(details).toMatchObject({ step: 'login', reason: 'organization' });
    expect(details.steps.map((step) => step.split(':')[0])).toEqual([
      ...['pass tcp', 'pass tls', 'pass certificate', 'pass clock', 'fail login'],
    ]);
    expect(await stored()).toEqual(['vc', 'vcd']);
  });

  it('are not added with a wrong password, which is tried only once', async () => {
    const lab = site.lab('vcenter');
    const refusals = async () =>
      (await site.labCall<{ refusedLogins: number }>('vcenter', 'GET', '/state')).refusedLogins;
    const before = await refusals();
    const words = ['clouds', 'add', 'bad', '--driver', 'vsphere', '--node', 'source', '--json'];
    const account = ['--url', lab.options.url ?? '', '--username', lab.options.username ?? ''];
    const said = await terminal.run([...words, ...account, '--fingerprint', lab.ready.fingerprint], {
      CLOUD_PASSWORD: 'not-the-password',
    });
    expect(faultCode(said)).toBe('auth.refused');
    expect(await refusals()).toBe(before + 1);
    expect(await stored()).toEqual(['vc', 'vcd']);
  });

  it('are not added with a certificate that is not the confirmed one, nor where nothing answers', async () => {
    const lab = site.lab('director');
    const { url = '', username = '', organization = '', password = '' } = lab.options;
    const add = (at: string, fingerprint: string) =>
      terminal.run(
        [
          ...['clouds', 'add', 'bad', '--driver', 'cloud-director', '--node', 'destination', '--json'],
          ...['--url', at, '--username', username, '--organization', organization, '--fingerprint', fingerprint],
        ],
        { CLOUD_PASSWORD: password },
      );
    expect(faultCode(await add(url, '1'.repeat(64)))).toBe('cloud.untrusted');
    expect(faultCode(await add('https://127.0.0.1:1', lab.ready.fingerprint))).toBe('cloud.unreachable');
    expect(await stored()).toEqual(['vc', 'vcd']);
  });

  it('are not added with a secret on the command line, an unknown option or an unknown driver', async () => {
    const words = ['clouds', 'add', 'bad', '--node', 'source', '--json'];
    const secret = await cloudspan(...words, '--driver', 'vsphere', '--password', 'hunter2');
    expect([secret.code, faultCode(secret)]).toEqual([2, 'input.invalid']);
    expect(`${secret.stdout}${secret.stderr}`).not.toContain('hunter2');
    const driver = await cloudspan(...words, '--driver', 'nonsense');
    expect([driver.code, faultCode(driver)]).toEqual([2, 'input.invalid']);
    expect(`${driver.stdout}`).toContain('vsphere');
    expect(await stored()).toEqual(['vc', 'vcd']);
  });
});

describe('ls', () => {
  it('lists a cloud and what is below, with names as they are typed in a path', async () => {
    expect((await cloudspan('ls', 'vc')).stdout).toMatch(/datacenter +DC1/);
    const folder = await cloudspan('ls', 'vc/DC1/vm');
    expect(folder.stdout).toContain('Odd names %2F 100%25');
    expect(folder.stdout).toMatch(/vm +running +on/);
    const odd = await cloudspan('ls', 'vc/DC1/vm/Odd names %2F 100%25', '--long');
    expect(odd.stdout).toContain('a%2Fb %2541 & ü 日本');
    const machine = await cloudspan('ls', 'vc/DC1/vm/Odd names %2F 100%25/a%2Fb %2541 & ü 日本', '--json');
    const [object] = machine.json.objects as { name: string; id: string }[];
    expect(object?.name).toBe('a/b %41 & ü 日本');
    const byId = await cloudspan('ls', `vc/id:${object?.id}`, '--json');
    expect((byId.json.objects as { id: string }[])[0]?.id).toBe(object?.id);
  });

  it('says what is missing', async () => {
    expect(faultCode(await cloudspan('ls', 'vc/DC1/vm/nobody', '--json'))).toBe('object.missing');
    expect(faultCode(await cloudspan('ls', 'nowhere'))).toBe('object.missing');
  });

  it('lists both objects with their ids where a path fits two', async () => {
    const said = await cloudspan('ls', 'vcd/vdc1/twin', '--json');
    expect(faultCode(said)).toBe('object.ambiguous');
    const { details } = said.json.fault as { details: { objects: string[] } };
    expect(details.objects.filter((line) => /^(vapp|network) \/vdc1\/twin id:\S+$/.test(line))).toHaveLength(2);
    expect(faultCode(await cloudspan('power', 'vcd/vdc1/twin', 'on'))).toBe('object.ambiguous');
  });
});

describe('copy and jobs', () => {
  const copyWords = ['copy', 'vc/DC1/vm/Web/web-01', 'vcd/vdc1', '--network', 'VM Network=net1', '--json'];

  it('checks without touching anything', async () => {
    const said = await cloudspan(...copyWords, '--check');
    expect(said.code, said.stdout).toBe(0);
    expect((said.json.checks as { outcome: string }[]).some(({ outcome }) => outcome === 'pass')).toBe(true);
    expect((said.json.placement as { name: string }[]).length).toBeGreaterThan(0);
    const running = await cloudspan('copy', 'vc/DC1/vm/running', 'vcd/vdc1', '--check', '--json');
    expect(running.code).toBe(1);
    expect((await cloudspan('jobs', 'list', '--json')).json.jobs).toEqual([]);
  });

  it('copies, says how it goes in lines of JSON, and leaves job, log, ledger and receipt to be read', async () => {
    const said = await cloudspan(...copyWords);
    expect(said.code, said.stdout).toBe(0);
    expect(said.lines.length).toBeGreaterThan(2);
    expect(said.lines.some((line) => line.state === 'running' && typeof line.step === 'string')).toBe(true);
    expect(said.json).toMatchObject({ state: 'succeeded', result: { object: { name: 'web-01' } } });
    const job = String(said.json.job);
    expect((await cloudspan('jobs', 'list')).stdout).toMatch(new RegExp(`^${job} +succeeded`, 'm'));
    expect((await cloudspan('jobs', 'show', job)).stdout).toContain('proven: source');
    expect((await cloudspan('jobs', 'log', job)).stdout).toMatch(/server: succeeded/);
    const ledger = (await cloudspan('jobs', 'ledger', job, '--json')).json.entries as { state: string }[];
    expect(ledger.some(({ state }) => state === 'kept')).toBe(true);
    expect(ledger.filter(({ state }) => state === 'intent' || state === 'made')).toEqual([]);
    const receipt = (await cloudspan('jobs', 'receipt', job)).json as Record<string, unknown>;
    expect(receipt.sourceRoot).toBe(receipt.destinationRoot);
    expect(faultCode(await cloudspan('jobs', 'retry', job, '--json'))).toBe('job.state');
    expect(faultCode(await cloudspan('jobs', 'cancel', job, '--json'))).toBe('job.state');
    expect(faultCode(await cloudspan('jobs', 'show', '999', '--json'))).toBe('object.missing');
  });

  it('refuses a name that exists, and a running source, with another exit code than 0', async () => {
    const exists = await cloudspan(...copyWords, '--name', 'crm');
    expect(exists.code).toBe(1);
    expect(['object.exists', 'preflight.failed']).toContain(faultCode(exists));
    const running = await cloudspan('copy', 'vc/DC1/vm/running', 'vcd/vdc1', '--json');
    expect(['machine.running', 'preflight.failed']).toContain(faultCode(running));
    expect(running.stdout).toContain('--power-off-source');
  });

  it('cancels and takes everything back, refuses to forget clouds and nodes in use, and goes on with a retry', async () => {
    await slowDown(512 * 1024);
    const begun = await cloudspan(...copyWords, '--name', 'slow', '--detach');
    const job = String(begun.json.job);
    const inUse = await cloudspan('clouds', 'remove', 'vc');
    expect(faultCode(inUse)).toBe('object.in-use');
    expect(faultCode(await cloudspan('nodes', 'remove', 'source'))).toBe('object.in-use');
    expect((await cloudspan('jobs', 'cancel', job)).code).toBe(0);
    const end = await site.end(String(begun.json.id));
    expect(end.state).toBe('cancelled');
    expect(end.failure).toMatchObject({ code: 'job.cancelled', leftovers: [] });
    const vcenter = await site.labCall<{ leases: unknown[] }>('vcenter', 'GET', '/state');
    const director = await site.labCall<{ uploads: number }>('director', 'GET', '/state');
    expect([vcenter.leases, director.uploads]).toEqual([[], 0]);
    expect(await stored()).toEqual(['vc', 'vcd']);
    await slowDown(undefined);
    const retried = await cloudspan('jobs', 'retry', job, '--json');
    expect(retried.json, retried.stdout).toMatchObject({ state: 'succeeded', result: { object: { name: 'slow' } } });
  });
});

describe('power', () => {
  it('changes the state, says what it cannot do, and refuses what is no action', async () => {
    const on = await cloudspan('power', 'vcd/vdc1/crm', 'on');
    expect(on.code, on.stderr).toBe(0);
    const power = async () =>
      (await site.client.listObjects({ query: { cloud: await cloudId('vcd'), path: '/vdc1/crm' } })).objects[0]?.machine
        ?.power;
    await expect.poll(power, { timeout: 15_000 }).toBe('on');
    expect((await cloudspan('power', 'vcd/vdc1/crm', 'on')).code).toBe(0);
    expect((await cloudspan('power', 'vcd/vdc1/crm', 'off')).code).toBe(0);
    const explode = await cloudspan('power', 'vcd/vdc1/crm', 'explode');
    expect([explode.code, faultCode(explode)]).toEqual([2, 'input.invalid']);
    const template = await cloudspan('power', 'vc/DC1/vm/Templates/golden', 'on');
    expect(['object.wrong-kind', 'cloud.unsupported']).toContain(faultCode(template));
  });
});

async function cloudId(name: string): Promise<string> {
  const { clouds } = await site.client.listClouds({});
  return clouds.find((cloud) => cloud.name === name)?.id ?? '';
}

describe('secrets', () => {
  it('appear in no command line, no log and no folder of server and nodes', async () => {
    const labs = [site.lab('vcenter'), site.lab('director')].map((lab) => lab.options.password ?? '');
    const secrets = [...labs, site.account.password, 'not-the-password'];
    expect(secrets.every((secret) => secret.length > 8)).toBe(true);
    for (const line of await commandLines())
      for (const secret of secrets) expect(line.includes(secret), line.split('\0', 3).join(' ')).toBe(false);
    const log = await site.log();
    expect(log.length).toBeGreaterThan(0);
    for (const secret of secrets) expect(log.includes(secret)).toBe(false);
    for (const part of ['server', 'source', 'destination'])
      expect(await filesWith(join(site.folder, part), secrets)).toEqual([]);
  });
});

describe('removing', () => {
  it('forgets a cloud without touching what is inside, then its node', async () => {
    const machines = async () => (await site.labCall<{ machines: number }>('vcenter', 'GET', '/state')).machines;
    const before = await machines();
    expect(faultCode(await cloudspan('nodes', 'remove', 'source'))).toBe('object.in-use');
    const removed = await cloudspan('clouds', 'remove', 'vc');
    expect(removed.code, removed.stderr).toBe(0);
    expect(await stored()).toEqual(['vcd']);
    expect(await machines()).toBe(before);
    expect((await cloudspan('nodes', 'remove', 'source')).code).toBe(0);
    expect((await site.client.listNodes({})).nodes.map((node) => node.name)).toEqual(['destination']);
  });
});
