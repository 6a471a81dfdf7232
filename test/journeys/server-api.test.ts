import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity, pinOfCertificate } from '../../src/base/identity.ts';
import { dialIdentity, IDENTITY_SERVER_NAME, plainHex } from '../../src/base/tls.ts';
import { askUpgrade } from '../../src/node/upgrade.ts';
import type { ServerEvent } from '../../src/protocol/api.ts';
import { type FakeNode, startFakeNode } from './server-fake-node.ts';
import { type ServerInstallation, send, startServerProcess, until } from './server-installation.ts';

let server: ServerInstallation;
let node: FakeNode;

const trust = { kind: 'pin', sha256: '0'.repeat(64) } as const;
const options = { url: 'https://toy.invalid', password: 'right' };
const post = (path: string, body: unknown) => ({ method: 'POST' as const, path, body: JSON.stringify(body) });

beforeAll(async () => {
  server = await startServerProcess();
  const { token } = await server.client.createJoinToken({ body: {} });
  node = await startFakeNode('near', token, { link: 'direct' });
  await until(
    () => server.client.listNodes({}),
    ({ nodes }) => nodes.every(({ connected, drivers }) => connected && drivers.length > 0),
  );
  await server.client.addCloud({ body: { name: 'toy/1', node: 'near', driver: 'toy', options, trust } });
  await until(
    () => server.client.listClouds({}),
    ({ clouds }) => clouds.every(({ objects }) => objects > 0),
  );
});

afterAll(async () => {
  await node?.close();
  await server?.close();
});

test('browsers and nodes meet different certificates on the one port', async () => {
  const { hostname: host, port } = new URL(server.ready.url);
  const seen = async (servername: string) => {
    const socket = connect({ host, port: Number(port), servername, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const certificate = socket.getPeerCertificate();
    socket.destroy();
    return { fingerprint: plainHex(certificate.fingerprint256), pin: pinOfCertificate(certificate.raw) };
  };
  expect((await seen('localhost')).fingerprint).toBe(server.ready.fingerprint);
  expect((await seen(IDENTITY_SERVER_NAME)).pin).toBe(server.ready.pin);
});

test('without a session nothing but login and health is answered', async () => {
  const ask = (path: string) => send(server.ready.url, { method: 'GET', path }, '');
  expect((await ask('/api/v1/health')).status).toBe(200);
  for (const path of ['/api/v1/me', '/api/v1/nodes', '/api/v1/clouds', '/api/v1/jobs', '/api/v1/events']) {
    const answer = await ask(path);
    expect(answer.status).toBe(401);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'auth.required', status: 401 });
  }
});

test('a browser session is a closed cookie, and its writes need the header', async () => {
  const login = await send(server.ready.url, post('/api/v1/login', { user: 'admin', password: server.password }), '');
  const cookie = String(login.headers['set-cookie']);
  expect(cookie).toMatch(/HttpOnly/);
  expect(cookie).toMatch(/Secure/);
  expect(cookie).toMatch(/SameSite=Strict/);
  const value = cookie.split(';')[0] ?? '';
  const write = (headers: Record<string, string>) =>
    send(server.ready.url, post('/api/v1/logout', {}), '', { cookie: value, ...headers });
  expect((await send(server.ready.url, { method: 'GET', path: '/api/v1/me' }, '', { cookie: value })).status).toBe(200);
  expect((await write({})).status).toBe(403);
  expect((await write({ 'x-cloudspan-request': '1' })).status).toBe(200);
  expect((await send(server.ready.url, { method: 'GET', path: '/api/v1/me' }, '', { cookie: value })).status).toBe(401);
});

test('guessing a password is slowed down, also with the right one at the end', async () => {
  const guess = (password: string) => send(server.ready.url, post('/api/v1/login', { user: 'nobody', password }), '');
  for (let attempt = 0; attempt < 5; attempt++) expect((await guess('wrong')).status).toBe(401);
  const refused = await guess('wrong');
  expect(JSON.parse(refused.text)).toMatchObject({ code: 'auth.locked', status: 429 });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
});

test('a body of another form is refused with the name of the field', async () => {
  const answer = await send(server.ready.url, post('/api/v1/clouds', { name: '' }), server.token);
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.text)).toMatchObject({ code: 'input.invalid', details: { field: expect.any(String) } });
});

test('a body that is announced but empty, and one that is no JSON, are understood as what they are', async () => {
  const type = { 'content-type': 'application/json' };
  const path = '/api/v1/jobs/999/cancel';
  const empty = await send(server.ready.url, { method: 'POST', path }, server.token, type);
  expect(JSON.parse(empty.text)).toMatchObject({ code: 'object.missing' });
  const broken = await send(server.ready.url, { method: 'POST', path, body: '{' }, server.token, type);
  expect(JSON.parse(broken.text)).toMatchObject({ code: 'input.invalid' });
});

test('the OpenAPI document names every operation', async () => {
  const { text } = await send(server.ready.url, { method: 'GET', path: '/api/v1/openapi.json' }, '');
  const document = JSON.parse(text);
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths)).toContain('/api/v1/clouds/{cloud}/objects/{object}/power');
  expect(document.paths['/api/v1/jobs'].post.operationId).toBe('startJob');
});

test('pages come with a strict policy; an unknown address of the API is a problem, not a page', async () => {
  const page = await send(server.ready.url, { method: 'GET', path: '/jobs/7' }, '', { accept: 'text/html' });
  expect(page.headers['content-security-policy']).toContain("script-src 'self'");
  expect(page.text).toContain('Cloudspan');
  const missing = await send(server.ready.url, { method: 'GET', path: '/api/v1/none' }, '', { accept: '*/*' });
  expect(missing.status).toBe(404);
});

test('a join token is good for one node, and none joins without a certificate', async () => {
  const { token } = await server.client.createJoinToken({ body: {} });
  const one = await startFakeNode('one', token);
  await expect(startFakeNode('two', token)).rejects.toMatchObject({ code: 'node.join-refused' });
  const body = { secret: 'x', name: 'three', link: 'dial-home', public: false };
  const bare = await send(server.ready.url, post('/link/v1/join', body), '');
  expect(JSON.parse(bare.text)).toMatchObject({ code: 'node.untrusted' });

  await until(
    () => server.client.listNodes({}),
    ({ nodes }) => nodes.some(({ name, connected }) => name === 'one' && connected),
  );
  await server.client.removeNode({ node: 'one' });
  const { hostname: host, port } = new URL(server.ready.url);
  const target = { host, port: Number(port) };
  const signal = AbortSignal.timeout(10_000);
  const question = { path: '/link/v1', upgrade: 'cloudspan-link', who: 'server' };
  for (const identity of [one.identity, await createIdentity('stranger')]) {
    const socket = await dialIdentity(target, identity, server.ready.pin, signal);
    await expect(askUpgrade(socket, question, signal)).rejects.toMatchObject({ code: 'node.untrusted' });
  }
  await one.close();
});

test('a refused login at a cloud stores nothing', async () => {
  const body = { name: 'bad', node: 'near', driver: 'toy', options: { ...options, password: 'wrong' }, trust };
  await expect(server.client.addCloud({ body })).rejects.toMatchObject({ code: 'auth.refused' });
  const unknown = { ...body, options: { ...options, colour: 'red' } };
  await expect(server.client.addCloud({ body: unknown })).rejects.toMatchObject({ code: 'input.invalid' });
  expect((await server.client.listClouds({})).clouds.map(({ name }) => name)).toEqual(['toy/1']);
});

test('secrets are shown nowhere', async () => {
  const { text } = await send(server.ready.url, { method: 'GET', path: '/api/v1/clouds' }, server.token);
  expect(text).not.toContain('right');
  expect(JSON.parse(text).clouds[0].options).toEqual({ url: options.url });
});

test('objects are found by parent, path and kind, with every odd name', async () => {
  const list = async (query: { parent?: string; path?: string; kinds?: string }) =>
    (await server.client.listObjects({ query: { cloud: 'toy/1', ...query } })).objects.map(({ path }) => path);
  expect(await list({ parent: 'root' })).toEqual(['/DC 1', '/DC 2']);
  expect(await list({ parent: 'dc-1' })).toEqual(['/DC 1/VM Network', '/DC 1/vm']);
  expect(await list({ path: '/DC 1/vm/web%2F01 100%25' })).toEqual(['/DC 1/vm/web%2F01 100%25']);
  expect(await list({ path: '/DC 1/vm/twin' })).toHaveLength(2);
  expect(await list({ path: '/DC 1/none' })).toEqual([]);
  expect(await list({ kinds: 'network' })).toEqual(['/DC 1/VM Network', '/DC 2/VM Network']);
});

test('a change in a cloud is told to open pages and can be read at once', async () => {
  const seen: ServerEvent[] = [];
  const stream = request(`${server.ready.url}/api/v1/events`, {
    rejectUnauthorized: false,
    headers: { authorization: `Bearer ${server.token}` },
  });
  stream.on('response', (answer) => {
    answer.setEncoding('utf8').on('data', (text: string) => {
      for (const [, data] of text.matchAll(/^data: (.*)$/gm)) seen.push(JSON.parse(data ?? '') as ServerEvent);
    });
  });
  stream.on('error', () => {});
  stream.end();
  await once(stream, 'response');
  const renamed = { ...node.objects.find(({ id }) => id === 'vm-4'), name: 'renamed' };
  node.tell({ type: 'put', objects: [renamed as never] });
  node.tell({ type: 'gone', ids: ['vm-3'] });
  await until(
    async () => seen,
    (events) => events.some(({ type }) => type === 'inventory'),
  );
  const { objects } = await server.client.listObjects({ query: { cloud: 'toy/1', parent: 'folder-vm' } });
  expect(objects.map(({ name }) => name)).toEqual(['renamed', 'twin', 'web/01 100%']);
  stream.destroy();
});

test('a login that the cloud refuses later is not repeated by a restart, only by a person', async () => {
  node.password = 'changed';
  node.loseSessions();
  const failed = await until(
    () => server.client.listClouds({}),
    ({ clouds }) => clouds[0]?.state === 'failed',
  );
  expect(failed.clouds[0]?.fault).toMatchObject({ code: 'auth.refused' });
  const tries = () => node.calls.filter((call) => call === 'openSession toy/1').length;
  const before = tries();
  await server.restart();
  await until(
    () => server.client.listNodes({}),
    ({ nodes }) => nodes.every(({ connected }) => connected),
  );
  expect(tries()).toBe(before);
  node.password = 'right';
  expect(await server.client.testCloud({ cloud: 'toy/1' })).toMatchObject({ state: 'connected' });
  expect(tries()).toBe(before + 1);
});

test('a killed server takes its database with it, and nobody else opens the folder of a living one', async () => {
  const pidOf = async () =>
    Number((await readFile(join(server.folder, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
  const alive = (pid: number) =>
    execFileSync('sh', ['-c', `ps -o stat= -p ${pid} || true`])
      .toString()
      .trim();
  const second = spawn(process.execPath, [join(import.meta.dirname, 'server-process.ts'), server.folder], {
    stdio: 'pipe',
  });
  const [code] = await once(second, 'exit');
  expect(code).not.toBe(0);
  const database = await pidOf();
  expect(alive(database)).not.toBe('');
  process.kill(server.pid, 'SIGKILL');
  await until(
    async () => alive(database),
    (state) => state === '' || state.startsWith('Z'),
  );
  await server.killAndRestart();
  expect((await server.client.listClouds({})).clouds).toHaveLength(1);
});

test('keys and passwords on the disk are for their owner only', async () => {
  for (const file of ['identity.key', 'ui.key', 'vault.key', 'postgres.password']) {
    expect((await stat(join(server.folder, file))).mode & 0o077, file).toBe(0);
  }
});

test('a node gets the key of its storage at each link, the same one until its data are erased', async () => {
  const given = () =>
    until(
      async () => node.keys,
      (keys) => keys.length > 0,
    );
  const [first] = await given();
  expect(Buffer.from(first ?? '', 'base64')).toHaveLength(32);
  node.keys.length = 0;
  await node.stop();
  node.start();
  expect((await given())[0]).toBe(first);
  const [{ id } = { id: '' }] = (await server.client.listNodes({})).nodes;
  await until(
    () => server.client.listNodes({}),
    ({ nodes }) => nodes.every(({ connected }) => connected),
  );
  node.keys.length = 0;
  await server.client.eraseNode({ node: id });
  expect(node.calls).toContain('eraseOwner');
  const [after] = await given();
  expect(after).not.toBe(first);
  await node.stop();
  await until(
    () => server.client.listNodes({}),
    ({ nodes }) => nodes.every(({ connected }) => !connected),
  );
  await expect(server.client.eraseNode({ node: id })).rejects.toMatchObject({ code: 'node.unreachable' });
  node.keys.length = 0;
  node.start();
  expect([first, after]).not.toContain((await given())[0]);
  const dump = JSON.stringify([await server.client.listNodes({}), await server.client.listClouds({})]);
  expect(dump).not.toContain(first);
});

test('removing a cloud and a node leaves nothing behind here', async () => {
  await server.client.removeCloud({ cloud: 'toy/1' });
  expect(node.sessions.size).toBe(0);
  await server.client.removeNode({ node: 'near' });
  expect((await server.client.listNodes({})).nodes).toEqual([]);
});

test('a server starts in a folder with a very long path', async () => {
  const folder = await mkdtemp(join(tmpdir(), `cloudspan-${'long-'.repeat(20)}`));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'server-process.ts'), folder], { stdio: 'pipe' });
  const [line] = await once(child.stdout, 'data');
  expect(JSON.parse(String(line))).toMatchObject({ firstPassword: expect.any(String) });
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  await rm(folder, { recursive: true, force: true });
});
