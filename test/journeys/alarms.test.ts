import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createServer as createTls } from 'node:tls';
import { createGunzip } from 'node:zlib';
import { SMTPServer } from 'smtp-server';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity, type Identity } from '../../src/base/identity.ts';
import { Installation } from './installation.ts';
import { filesWith } from './secrets.ts';
import { faultCode, Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

interface Delivered {
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

let site: Installation;
let terminal: Terminal;
let identity: Identity;
const closers: (() => void)[] = [];
const delivered: Delivered[] = [];
const mails: string[] = [];
const lines: string[] = [];
let status = 200;
let hookSecret = '';
const ports = { webhook: 0, mail: 0, tls: 0, udp: 0 };
const MAIL_PASSWORD = 'mail-password-0815';

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

async function listen(server: { listen(port: number, host: string): unknown; close(): unknown } & NodeJS.EventEmitter) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
}

beforeAll(async () => {
  terminal = await Terminal.open();
  identity = await createIdentity('receiver', ['localhost', '127.0.0.1']);
  const keys = { key: identity.key, cert: identity.certificate };
  await writeFile(join(terminal.home, 'ca.pem'), identity.certificate);
  const webhook = createHttps(keys, async (request, answer) => {
    delivered.push({ headers: request.headers, body: await text(request) });
    answer.writeHead(status).end();
  });
  await listen(webhook);
  ports.webhook = portOf(webhook);
  const mail = new SMTPServer({
    ...keys,
    secure: true,
    authMethods: ['PLAIN'],
    onAuth: ({ username, password }, _session, done) =>
      username === 'cs' && password === MAIL_PASSWORD ? done(null, { user: 'cs' }) : done(new Error('wrong password')),
    onData: (stream, _session, done) => {
      text(stream).then((content) => {
        mails.push(content);
        done();
      }, done);
    },
  });
  mail.on('error', () => {});
  await new Promise<void>((done) => mail.listen(0, '127.0.0.1', done));
  closers.push(() => mail.close());
  ports.mail = portOf(mail.server);
  const tls = createTls(
    keys,
    (socket) =>
      void text(socket).then(
        (said) => lines.push(said),
        () => {},
      ),
  );
  await listen(tls);
  ports.tls = portOf(tls);
  const udp = createSocket('udp4').on('message', (message) => lines.push(message.toString('utf8')));
  await new Promise<void>((done) => udp.bind(0, '127.0.0.1', done));
  closers.push(() => udp.close());
  ports.udp = udp.address().port;

  site = await Installation.start({ vcenterWorld, directorWorld });
  await terminal.signIn(site.account);
  await site.client.setAlarmRules({ body: { nodeAwaySeconds: 1, cloudFailedSeconds: 1, jobWaitingSeconds: 1 } });
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
  for (const close of closers) close();
});

const alarms = async () => (await site.client.listAlarms({})).alarms;
const alarm = (where: string, seconds = 60) =>
  site.until(async () => (await alarms()).find((one) => one.where === where), seconds, `no alarm of ${where}`);
const over = (where: string) =>
  site.until(
    async () => ((await alarms()).some((one) => one.where === where) ? undefined : true),
    60,
    `${where} lasts`,
  );
const ca = () => ['--ca', join(terminal.home, 'ca.pem')];
const messages = () => delivered.map(({ body }) => JSON.parse(body) as { type: string; id: string; text: string });
const arrived = (type: string, words: string) =>
  site.until(
    async () => messages().find((one) => one.type === type && one.text.includes(words)),
    30,
    `${type} ${words}`,
  );

test('a webhook gets what it asked for, signed together with the time, and again after a failure under the same id', async () => {
  const url = `https://127.0.0.1:${ports.webhook}/hook`;
  const added = await terminal.run(['channels', 'webhook', 'ops', url, '--events', 'alarms,jobs', ...ca(), '--json']);
  expect(added.code, added.stderr).toBe(0);
  const { secret } = added.json as { secret: string };
  hookSecret = secret;
  expect((await terminal.run(['channels', 'test', 'ops'])).code).toBe(0);
  const [first] = delivered;
  const [, seconds = '', signature] = /^t=(\d+),v1=(\w+)$/.exec(String(first?.headers['cloudspan-signature'])) ?? [];
  expect(createHmac('sha256', secret).update(`${seconds}.${first?.body}`).digest('hex')).toBe(signature);
  expect(Math.abs(Date.now() / 1000 - Number(seconds))).toBeLessThan(60);

  status = 503;
  expect(faultCode(await terminal.run(['channels', 'test', 'ops']))).toBe('channel.refused');
  delivered.length = 0;
  const job = await site.end((await site.copy({ source: 'vc/DC1/vm/running', destination: 'vcd/vdc1' })).id);
  expect(job.state).toBe('failed');
  const refused = await arrived('job.failed', String(job.number));
  const { channels } = await site.client.listChannels({});
  expect(channels[0]?.waiting).toBeGreaterThan(0);
  status = 200;
  delivered.length = 0;
  expect((await arrived('job.failed', String(job.number))).id).toBe(refused.id);
  expect(await alarm(`job ${job.number}`)).toMatchObject({ kind: 'job-failed' });
  await arrived('alarm.raised', `job ${job.number}`);
});

test('a node that is away is one alarm with a remedy; it can be acknowledged, and is over when the node is back', async () => {
  await site.kill('source');
  const raised = await alarm('node source');
  expect(raised).toMatchObject({ kind: 'node-away', severity: 'critical', remedy: expect.stringContaining('Start') });
  expect((await terminal.run(['alarms'])).stdout).toContain('node source: It has no link');
  expect((await terminal.run(['alarms', 'ack', raised.key])).stdout).toContain('acknowledged by admin');
  expect((await alarm('node source')).acknowledged?.by).toBe('admin');
  await arrived('alarm.raised', 'node source');
  await site.revive('source');
  await over('node source');
  await arrived('alarm.cleared', 'node source');
  await expect(site.client.acknowledgeAlarm({ body: { key: raised.key } })).rejects.toMatchObject({
    code: 'object.missing',
  });
});

test('e-mail is sent by TLS with an account, and a wrong password is said', async () => {
  const words = ['ops@example.org', '--server', `127.0.0.1:${ports.mail}`, '--from', 'cs@example.org', '--user', 'cs'];
  const email = (name: string, password: string) =>
    terminal.run(['channels', 'email', name, ...words, ...ca()], { CLOUDSPAN_MAIL_PASSWORD: password });
  expect((await email('wrong', 'not-it')).code).toBe(0);
  const said = await terminal.run(['channels', 'test', 'wrong']);
  expect(faultCode(said)).toBe('channel.refused');
  await terminal.run(['channels', 'remove', 'wrong']);
  expect((await email('mail', MAIL_PASSWORD)).code).toBe(0);
  const right = await terminal.run(['channels', 'test', 'mail']);
  expect(right.code, right.stderr).toBe(0);
  expect(mails[0]).toMatch(/^test of the channel "mail", asked for by admin/m);
});

test('syslog lines follow RFC 5424, counted over TLS and bare over UDP', async () => {
  const add = (name: string, port: number, ...more: string[]) =>
    terminal.run(['channels', 'syslog', name, `127.0.0.1:${port}`, ...more]);
  expect((await add('tls', ports.tls, ...ca())).code).toBe(0);
  expect((await add('udp', ports.udp, '--transport', 'udp')).code).toBe(0);
  for (const name of ['tls', 'udp']) expect((await terminal.run(['channels', 'test', name])).code).toBe(0);
  await site.until(async () => (lines.length >= 2 ? true : undefined), 20, 'not two lines');
  const form = /<134>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ cloudspan \d+ test - \uFEFFtest of the channel/;
  const counted = lines.find((line) => /^\d+ </.test(line)) ?? '';
  const bare = lines.find((line) => line.startsWith('<')) ?? '';
  expect(counted).toMatch(form);
  expect(bare).toMatch(form);
  const [, count, rest = ''] = /^(\d+) (<[\s\S]*)$/.exec(counted) ?? [];
  expect(Buffer.byteLength(rest)).toBe(Number(count));
});

test('a support bundle tells what happened and holds none of the secrets of this journey', async () => {
  const file = join(terminal.home, 'support.tar.gz');
  const said = await terminal.run(['support-bundle', file]);
  expect(said.code, said.stderr).toBe(0);
  const files = new Map<string, string>();
  const reader = extract();
  reader.on('entry', (header, stream, next) => {
    text(stream).then((content) => {
      files.set(header.name.replace('cloudspan-support/', ''), content);
      next();
    }, next);
  });
  await pipeline(createReadStream(file), createGunzip(), reader);
  for (const name of ['server.json', 'health.json', 'nodes.json', 'clouds.json', 'alarms.json', 'metrics.txt'])
    expect(files.get(name)?.length, name).toBeGreaterThan(10);
  const { jobs } = await site.client.listJobs({ query: {} });
  for (const { number } of jobs) expect(files.get(`jobs/${number}.log`)).toContain(' server: ');
  const folder = join(site.folder, 'server');
  const kept = ['vault.key', 'identity.key', 'metrics.token', 'postgres.password'];
  const secrets = await Promise.all(kept.map(async (name) => (await readFile(join(folder, name), 'utf8')).trim()));
  const session = JSON.parse(await readFile(join(terminal.home, 'session.json'), 'utf8')) as { token: string };
  const labs = (['vcenter', 'director'] as const).map((name) => site.lab(name).options.password ?? '?');
  const all = [...files.values()].join('\n');
  const wanted = [...secrets, ...labs, session.token, site.account.password, MAIL_PASSWORD, hookSecret, '/hook'];
  expect(wanted.filter((secret) => secret.length < 4 || all.includes(secret))).toEqual([]);
});

test('what opens a channel lies encrypted: in no file, log or answer', async () => {
  const { channels } = await site.client.listChannels({});
  expect(channels.map(({ name }) => name)).toEqual(['mail', 'ops', 'tls', 'udp']);
  expect(JSON.stringify(channels)).not.toContain(MAIL_PASSWORD);
  await site.kill('server', 'SIGTERM');
  expect(await filesWith(site.folder, [MAIL_PASSWORD, hookSecret])).toEqual([]);
  await site.revive('server');
});
