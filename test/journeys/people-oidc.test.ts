import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import { createClient } from '../../src/protocol/client.ts';
import { type ServerInstallation, send, startServerProcess } from './server-installation.ts';
import { Terminal } from './terminal.ts';

const SECRET = 'the secret of the client at the provider';
const PEOPLE: Record<string, { name: string; groups: string[] }> = {
  'sub-otto': { name: 'otto', groups: ['everybody', 'cloud-ops'] },
  'sub-rita': { name: 'rita', groups: ['cloud-admins'] },
  'sub-gast': { name: 'gast', groups: ['everybody'] },
  'sub-false-admin': { name: 'admin', groups: ['cloud-ops'] },
};

let server: ServerInstallation;
let door: Server;
let issuer: string;
let ca: string;
const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });

beforeAll(async () => {
  server = await startServerProcess();
  const identity = await createIdentity('localhost', ['localhost']);
  ca = identity.certificate;
  door = createServer({ key: identity.key, cert: identity.certificate });
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  issuer = `https://localhost:${(door.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'cloudspan',
        client_secret: SECRET,
        redirect_uris: [`${server.ready.url}/sign-in/provider/callback`],
        response_types: ['code'],
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
      },
      {
        client_id: 'cloudspan-native',
        client_secret: SECRET,
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/callback'],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    features: { deviceFlow: { enabled: true } },
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    scopes: ['openid', 'profile', 'groups'],
    findAccount: (_context, sub) => ({
      accountId: sub,
      claims: () => ({ sub, preferred_username: PEOPLE[sub]?.name, groups: PEOPLE[sub]?.groups }),
    }),
    cookies: { keys: ['a key of this test'] },
  });
  door.on('request', provider.callback());
}, 60_000);
afterAll(async () => {
  door?.closeAllConnections();
  door?.close();
  await dispatcher.close();
  await server?.close();
});

/** A browser as far as this needs one: keeps the cookies of each site, follows redirects, sends the provider's forms. */
class Browser {
  readonly #jars = new Map<string, Map<string, string>>();
  readonly visited: string[] = [];

  cookies(origin: string): Map<string, string> {
    const jar = this.#jars.get(origin) ?? new Map<string, string>();
    this.#jars.set(origin, jar);
    return jar;
  }

  async open(url: string, form?: Record<string, string>): Promise<{ url: URL; text: string }> {
    for (let at = new URL(url), body = form; ; body = undefined) {
      this.visited.push(at.href);
      const jar = this.cookies(at.origin);
      const answer = await fetch(at, {
        method: body === undefined ? 'GET' : 'POST',
        redirect: 'manual',
        dispatcher,
        headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '), accept: 'text/html' },
        ...(body === undefined ? {} : { body: new URLSearchParams(body) }),
      });
      for (const line of answer.headers.getSetCookie()) {
        const [pair = ''] = line.split(';');
        const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
        if (value === '') jar.delete(name);
        else jar.set(name, value);
      }
      const next = answer.headers.get('location');
      if (next === null) return { url: at, text: await answer.text() };
      at = new URL(next, at);
    }
  }

  /** From the button of the sign-in page to where it ends. */
  async signIn(subject: string): Promise<URL> {
    return this.signInAt(subject, await this.open(`${server.ready.url}/sign-in/provider/start`));
  }

  async signInAt(subject: string, first: { url: URL; text: string }): Promise<URL> {
    let page = first;
    const forms: Record<string, string>[] = [
      { prompt: 'login', login: subject, password: 'any' },
      { prompt: 'consent' },
    ];
    for (const form of forms) {
      const action = /action="([^"]+)"/.exec(page.text)?.[1];
      if (action !== undefined) page = await this.open(new URL(action, page.url).href, form);
    }
    return page.url;
  }

  session(): string | undefined {
    return this.cookies(server.ready.url).get('cloudspan_session');
  }
}

const as = (token = '') => createClient((question) => send(server.ready.url, question, token));
const settings = () => ({
  label: 'Company',
  issuer,
  clientId: 'cloudspan',
  clientSecret: SECRET,
  scope: 'openid profile groups',
  rolesClaim: 'groups',
  roles: { 'cloud-admins': 'administrator', 'cloud-ops': 'operator' } as const,
  ca,
});

test('a provider is taken only when it answers by a certificate that is trusted', async () => {
  expect((await as().signInWays({})).provider).toBeNull();
  const { ca: _, ...untrusted } = settings();
  await expect(server.client.setProvider({ body: untrusted })).rejects.toMatchObject({ code: 'auth.provider' });
  await expect(
    server.client.setProvider({ body: { ...settings(), issuer: 'http://localhost' } }),
  ).rejects.toMatchObject({
    code: 'input.invalid',
  });
  await server.client.setProvider({ body: settings() });
  expect((await as().signInWays({})).provider).toEqual({ label: 'Company' });
  expect(JSON.stringify(await server.client.getProvider({}))).not.toContain(SECRET);
});

test('somebody whom the provider knows signs in with PKCE, has the role of the claim, and sees nothing yet', async () => {
  const browser = new Browser();
  expect((await browser.signIn('sub-otto')).href).toBe(`${server.ready.url}/`);
  const asked = new URL(browser.visited.find((url) => url.startsWith(`${issuer}/auth?`)) ?? '').searchParams;
  expect([asked.get('code_challenge_method'), asked.get('response_type')]).toEqual(['S256', 'code']);
  expect([...asked.keys()]).toEqual(expect.arrayContaining(['code_challenge', 'state', 'nonce']));
  const otto = as(browser.session());
  expect(await otto.me({})).toMatchObject({ user: 'otto', role: 'operator' });
  expect((await otto.listClouds({})).clouds).toEqual([]);
  const { accounts } = await server.client.listAccounts({});
  expect(accounts.find(({ name }) => name === 'otto')).toMatchObject({ signIn: 'provider', role: 'operator' });
  await expect(as().login({ body: { user: 'otto', password: '' } })).rejects.toMatchObject({ code: 'auth.refused' });
});

test('the role follows the claim at the next sign-in', async () => {
  const first = new Browser();
  await first.signIn('sub-rita');
  expect(await as(first.session()).me({})).toMatchObject({ user: 'rita', role: 'administrator' });
  Object.assign(PEOPLE['sub-rita'] ?? {}, { groups: ['cloud-ops'] });
  const second = new Browser();
  await second.signIn('sub-rita');
  expect(await as(second.session()).me({})).toMatchObject({ user: 'rita', role: 'operator' });
  await expect(as(first.session()).me({})).rejects.toMatchObject({ code: 'auth.required' });
});

test('without a role in the claim, with the name of another account, or disabled, nobody gets in', async () => {
  const ends = async (subject: string) => {
    const browser = new Browser();
    const { search } = await browser.signIn(subject);
    expect(browser.session()).toBeUndefined();
    return search;
  };
  expect(await ends('sub-gast')).toBe('?refused=auth.refused');
  expect(await ends('sub-false-admin')).toBe('?refused=object.exists');
  await server.client.changeAccount({ account: 'otto', body: { disabled: true } });
  expect(await ends('sub-otto')).toBe('?refused=auth.refused');
});

test('an answer that this browser did not ask for, or that was changed, is refused', async () => {
  const other = new Browser();
  const started = new Browser();
  const callback = `${server.ready.url}/sign-in/provider/callback`;
  const refused = `${server.ready.url}/?refused=auth.refused`;
  expect((await other.open(`${callback}?code=stolen&state=stolen`)).url.href).toBe(refused);
  await started.open(`${server.ready.url}/sign-in/provider/start`);
  expect((await started.open(`${callback}?code=stolen&state=another`)).url.href).toBe(refused);
  expect(started.session()).toBeUndefined();
});

/** Runs `login --oidc` and gives what it says on stderr as soon as it fits. */
async function loginOidc(terminal: Terminal, wanted: RegExp) {
  const { url, fingerprint } = server.ready;
  const words = ['login', new URL(url).host, '--fingerprint', fingerprint, '--oidc', '--json'];
  const told = Promise.withResolvers<RegExpExecArray>();
  const ended = terminal.run(words, {}, (stderr) => {
    const found = wanted.exec(stderr);
    if (found !== null) told.resolve(found);
  });
  void ended.then(({ stderr }) => told.reject(new Error(`it never said so: ${stderr}`)));
  return { ended, told: await told.promise };
}

test('the command line signs in by a code that is entered on another device', async () => {
  await using terminal = await Terminal.open();
  const { ended, told } = await loginOidc(terminal, / or (https:\S+)/);
  const browser = new Browser();
  const asked = await browser.open(told[1] ?? '');
  const form = (text: string) =>
    Object.fromEntries(
      [...text.matchAll(/name="(xsrf|user_code|confirm)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
  const action = (text: string) => /action="([^"]+)"/.exec(text)?.[1] ?? '';
  let page = await browser.open(new URL(action(asked.text), asked.url).href, { ...form(asked.text), confirm: 'yes' });
  if (/name="user_code"/.test(page.text)) {
    page = await browser.open(new URL(action(page.text), page.url).href, { ...form(page.text), confirm: 'yes' });
  }
  await browser.signInAt('sub-rita', page);
  const said = await ended;
  expect([said.code, said.json.user]).toEqual([0, 'rita']);
  expect((await terminal.run(['clouds', 'list', '--json'])).json.clouds).toEqual([]);
}, 60_000);

test('without device authorization it signs in by a browser on the same machine, with PKCE', async () => {
  await server.client.setProvider({ body: { ...settings(), clientId: 'cloudspan-native' } });
  await using terminal = await Terminal.open();
  const { ended, told } = await loginOidc(terminal, /(https:\S+)\n/);
  const address = new URL(told[1] ?? '');
  expect(address.searchParams.get('code_challenge_method')).toBe('S256');
  const browser = new Browser();
  await browser.signInAt('sub-rita', await browser.open(address.href));
  const said = await ended;
  expect([said.code, said.json.user]).toEqual([0, 'rita']);
  for (const redirect of ['https://elsewhere.example/callback', 'http://10.0.0.1/callback', undefined]) {
    const body = redirect === undefined ? {} : { redirect };
    await expect(as().beginSignIn({ body })).rejects.toMatchObject({ code: 'input.invalid' });
  }
  for (const ticket of ['made up', server.token]) {
    await expect(as().endSignIn({ body: { ticket } })).rejects.toMatchObject({ code: 'auth.refused' });
  }
}, 60_000);

test('sign-ins at the provider are in the audit log, and without a provider nobody gets in', async () => {
  const { entries } = await server.client.listAudit({ query: { operation: 'login', limit: 1000 } });
  const told = entries
    .filter(({ via }) => via === 'provider')
    .map(({ account, object, outcome }) => `${account} ${object.replace(issuer, 'I')} ${outcome}`);
  expect(told).toEqual(
    expect.arrayContaining([
      'otto I sub-otto done',
      '(unknown) I sub-gast auth.refused',
      '(unknown) I sub-false-admin object.exists',
      '(unknown)  auth.refused',
    ]),
  );
  expect(JSON.stringify((await server.client.listAudit({ query: { limit: 1000 } })).entries)).not.toContain(SECRET);
  await server.client.removeProvider({});
  const { url } = await new Browser().open(`${server.ready.url}/sign-in/provider/start`);
  expect(url.search).toBe('?refused=object.missing');
});
