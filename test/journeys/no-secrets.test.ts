import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiOperation } from '../../src/protocol/api/operation.ts';
import { API_PREFIX, apiOperations } from '../../src/protocol/api.ts';
import { type ConnectProxy, openConnectProxy } from '../reach/connect-proxy.ts';
import { Installation } from './installation.ts';
import { filesWith, watchProcesses } from './secrets.ts';
import { send } from './server-installation.ts';
import { type Said, Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

const PROXY_PASSWORD = 'proxy-Secret-4711';
const CREDENTIALS = `agent:${PROXY_PASSWORD}`;
const WRONG_PASSWORD = 'mistyped-Secret-17';
const HOOK_SECRET = 'hook-Secret-0815';
const MAIL_PASSWORD = 'mail-Secret-2203';

let site: Installation;
let terminal: Terminal;
let proxy: ConnectProxy;
let folder: string;
let processes: { stop(): Promise<string> };
/** What the API and the command line answered, faults included. */
const answers: string[] = [];
/** Everything that has to stay secret, by what it is. */
const secrets = new Map<string, string[]>();
const add = (what: string, ...values: (string | undefined)[]) => {
  const known = values.filter((value) => value !== undefined && value !== '') as string[];
  secrets.set(what, [...(secrets.get(what) ?? []), ...known]);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-proxy-'));
  const file = join(folder, 'credentials');
  proxy = await openConnectProxy(CREDENTIALS);
  await writeFile(file, `${proxy.address} ${CREDENTIALS}\n`, { mode: 0o600 });
  terminal = await Terminal.open();
  process.env.CLOUDSPAN_LOG = 'trace';
  processes = watchProcesses(() =>
    site === undefined
      ? []
      : (['server', 'source', 'destination'] as const).map((part) => site.pid(part)).filter((pid) => pid > 0),
  );
  site = await Installation.start({
    vcenterWorld,
    directorWorld,
    admits: process.pid,
    extra: (name) =>
      name === 'source' || name === 'destination'
        ? { words: ['--proxy', proxy.url, '--proxy-credentials', file] }
        : name === 'server'
          ? { environment: { CLOUDSPAN_PROXY_CREDENTIALS: CREDENTIALS } }
          : {},
  });
}, 120_000);
afterAll(async () => {
  delete process.env.CLOUDSPAN_LOG;
  await processes?.stop();
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const run = async (words: string[], environment: Record<string, string> = {}): Promise<Said> => {
  const said = await terminal.run(words, environment);
  answers.push(said.stdout, said.stderr);
  return said;
};
const done = async (words: string[], environment: Record<string, string> = {}): Promise<Said> => {
  const said = await run(words, environment);
  expect(said.code, said.stdout + said.stderr).toBe(0);
  return said;
};
const secretFile = async (name: string, content: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, content, { mode: 0o600 });
  return path;
};

/** Everything that can be read, one after the other. */
async function readAll(token: string): Promise<void> {
  const ids: Record<string, { id: string }[]> = {
    cloud: (await site.client.listClouds({})).clouds,
    node: (await site.client.listNodes({})).nodes,
    job: (await site.client.listJobs({ query: {} })).jobs,
  };
  const cloud = ids.cloud?.[0]?.id ?? '';
  const { objects } = await site.client.listObjects({ query: { cloud } });
  let asked = 0;
  for (const [name, { method, path, download }] of Object.entries<ApiOperation>(apiOperations)) {
    if (method !== 'GET' || download !== undefined) continue;
    const [parameter] = /(?<=:)\w+/.exec(path) ?? [];
    const values = parameter === undefined ? [''] : (ids[parameter] ?? []).map(({ id }) => id);
    for (const value of values) {
      const filled = path.replace(/:(cloud|node|job)/, value).replace(':object', objects.at(-1)?.id ?? '');
      if (filled.includes(':') && name !== 'listObjects') continue;
      const answer = await send(
        `https://${site.account.host}`,
        { method: 'GET', path: `${API_PREFIX}${filled}` },
        token,
      );
      if (answer.status === 200) asked += 1;
      answers.push(answer.text);
    }
  }
  expect(asked).toBeGreaterThan(15);
}

async function bundle(): Promise<string> {
  const file = join(terminal.home, 'support.tar.gz');
  await done(['support-bundle', file]);
  const texts: string[] = [];
  const reader = extract();
  reader.on('entry', (_header, stream, next) => {
    text(stream).then((content) => {
      texts.push(content);
      next();
    }, next);
  });
  await pipeline(createReadStream(file), createGunzip(), reader);
  return texts.join('\n');
}

/** A way of writing it that a look for the plain text would miss. */
const forms = (secret: string) => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -1),
];
const found = (haystack: string) =>
  [...secrets].flatMap(([what, values]) =>
    values.filter((value) => forms(value).some((form) => haystack.includes(form))).map(() => what),
  );

test('a whole run: sign-ins, faults, copies both ways, a rotated key', { timeout: 240_000 }, async () => {
  const { host, fingerprint, password } = site.account;
  const words = ['login', host, '--fingerprint', fingerprint];
  add('password of the account', password);
  expect((await run(words, { CLOUDSPAN_PASSWORD: WRONG_PASSWORD })).code).toBe(1);
  add('mistyped password', WRONG_PASSWORD);
  await done(words, { CLOUDSPAN_PASSWORD: password });
  const { token } = JSON.parse(await readFile(join(terminal.home, 'session.json'), 'utf8')) as { token: string };
  add('session of the command line', token);
  add('proxy', PROXY_PASSWORD, CREDENTIALS);
  for (const name of ['vcenter', 'director'] as const) add('password of a cloud', site.lab(name).options.password);
  add('join code', ...site.joinTokens);
  const unused = await site.client.createJoinToken({ body: { address: host } });
  add('join code', unused.token);
  for (const code of secrets.get('join code') ?? []) {
    add('secret of a join code', JSON.parse(Buffer.from(code.slice(4), 'base64url').toString('utf8')).secret);
  }
  // What is refused must not tell what was tried.
  const { url = '', username = '' } = site.gated('vcenter').options;
  const wrong = ['clouds', 'add', 'wrong', '--driver', 'vsphere', '--node', 'source', '--url', url];
  const seen = ['--fingerprint', site.lab('vcenter').ready.fingerprint, '--username', username];
  const typed = await secretFile('wrong', WRONG_PASSWORD);
  expect((await run([...wrong, ...seen, '--password-file', typed])).code).toBe(1);
  const hook = ['channels', 'webhook', 'hook', 'https://127.0.0.1:9/', '--secret-file'];
  await done([...hook, await secretFile('hook', HOOK_SECRET)]);
  add('secret of a channel', HOOK_SECRET);
  await site.client.addChannel({
    body: {
      name: 'mail',
      target: { kind: 'email', host: '127.0.0.1', port: 9, user: 'u', from: 'a@b.example', to: ['a@b.example'] },
      secret: MAIL_PASSWORD,
    },
  });
  add('secret of a channel', MAIL_PASSWORD);
  for (const name of ['mail', 'hook']) expect((await run(['channels', 'test', name])).code).toBe(1);

  const vaultKey = async () => (await readFile(join(site.folder, 'server/vault.key'), 'utf8')).trim();
  const before = await vaultKey();
  const one = await site.copy({ source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name: 'there' });
  const said = await done(['server', 'rotate-vault-key', '--json']);
  expect(said.json).toMatchObject({ generation: 2, left: 0 });
  const after = await vaultKey();
  expect(after).not.toBe(before);
  add('key of the vault', before, after);
  expect((await site.end(one.id)).failure).toBeUndefined();
  // The clouds are signed in to again, with what the new key opens.
  await site.kill('source');
  await site.revive('source');
  const back = await site.until(
    () => site.copy({ source: 'vcd/vdc1/crm', destination: 'vc/DC1/vm' }),
    30,
    'no copy back',
  );
  expect((await site.end(back.id)).failure).toBeUndefined();
  // A copy that fails names the cloud, and not what led there.
  await site.labCall('vcenter', 'POST', '/expire-sessions', {});
  const broken = await site.copy({ source: 'vc/DC1/vm/running', destination: 'vcd/vdc1' }).then(
    async (job) => JSON.stringify(await site.end(job.id)),
    (error: Error) => error.message,
  );
  answers.push(broken);

  for (const name of ['vcenter', 'director'] as const) {
    const { secrets: given } = await site.labCall<{ secrets: string[] }>(name, 'GET', '/handed-out');
    expect(given.length, name).toBeGreaterThan(2);
    add(name === 'vcenter' ? 'vCenter session or lease URL' : 'Cloud Director session or transfer URL', ...given);
  }
  for (const name of ['identity.key', 'ui.key']) {
    add(name, (await readFile(join(site.folder, 'server', name), 'utf8')).split('\n')[1]);
  }
  for (const name of ['metrics.token', 'postgres.password']) {
    add(name, (await readFile(join(site.folder, 'server', name), 'utf8')).trim());
  }
  await readAll(token);
  for (const values of secrets.values()) expect(Math.min(...values.map((value) => value.length))).toBeGreaterThan(7);
});

test('tells none of its secrets in logs', async () => {
  const log = await site.log();
  expect(log).toContain('"level":20');
  expect(found(log)).toEqual([]);
});

test('tells none of them in answers of the API and the command line, faults included', () => {
  const all = answers.join('\n');
  expect(all).toContain('auth.refused');
  expect(found(all)).toEqual([]);
});

test('tells none of them in a support bundle', async () => {
  const all = await bundle();
  expect(all).toContain('there');
  expect(found(all)).toEqual([]);
});

test('tells none of them in process lists and environments of what it starts', async () => {
  const all = await processes.stop();
  expect(all).toContain('--proxy-credentials');
  expect(all).toContain('LC_ALL=C');
  expect(found(all)).toEqual([]);
});

test('keeps none of them in files of the nodes, nor in clear on the server but in the key files', async () => {
  await site.kill('server', 'SIGTERM');
  const values = [...secrets].flatMap(([, all]) => all);
  for (const part of ['source', 'destination'] as const) {
    expect(await filesWith(join(site.folder, part), values)).toEqual([]);
  }
  const keys = ['identity.key', 'ui.key', 'metrics.token', 'postgres.password', 'vault.key'];
  const names = (await filesWith(join(site.folder, 'server'), values)).map((path) =>
    path.slice(join(site.folder, 'server/').length).replace(/\.old-[0-9a-f]+$/, ''),
  );
  expect(names.filter((name) => !keys.includes(name))).toEqual([]);
});
