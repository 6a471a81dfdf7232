import { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import { dialIdentity, plainHex } from '../../src/base/tls.ts';
import { issue, keyOf, openssl, type PaperCertificate, signRequest } from './paper-ca.ts';
import { type ServerInstallation, until } from './server-installation.ts';
import { startToyPair, type ToyPair } from './server-toy-pair.ts';
import { faultCode, Terminal } from './terminal.ts';

let pair: ToyPair;
let server: ServerInstallation;
let terminal: Terminal;
let root: PaperCertificate;
let middle: PaperCertificate;
let lower: PaperCertificate;

beforeAll(async () => {
  pair = await startToyPair();
  server = pair.server;
  terminal = await Terminal.open();
  const { url, fingerprint } = server.ready;
  const said = await terminal.run(['login', new URL(url).host, '--fingerprint', fingerprint], {
    CLOUDSPAN_PASSWORD: server.password,
  });
  expect(said.code, said.stderr).toBe(0);
  root = await issue('Paper Root', null, { ca: true });
  middle = await issue('Paper Middle', root, { ca: true });
  lower = await issue('Paper Lower', middle, { ca: true });
}, 90_000);
afterAll(async () => {
  await pair?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
});

/** What the port shows: subjects from the own certificate up. @param servername Absent: none is named. */
function shown(servername?: string): Promise<X509Certificate[]> {
  const { hostname, port } = new URL(server.ready.url);
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostname,
      port: Number(port),
      rejectUnauthorized: false,
      ...(servername === undefined ? {} : { servername }),
    });
    socket.once('error', reject).once('secureConnect', () => {
      const chain: X509Certificate[] = [];
      for (let at = socket.getPeerCertificate(true); !chain.some(({ raw }) => raw.equals(at.raw)); ) {
        chain.push(new X509Certificate(at.raw));
        if (at.issuerCertificate === undefined) break;
        at = at.issuerCertificate;
      }
      socket.destroy();
      resolve(chain);
    });
  });
}
const subjects = async (servername?: string) => (await shown(servername)).map(({ subject }) => subject);
const upload = (body: Parameters<typeof server.client.uploadCertificate>[0]['body']) =>
  server.client.uploadCertificate({ body });
const file = async (name: string, content: string | Buffer) => {
  const path = join(terminal.home, name);
  await writeFile(path, content, { mode: 0o600 });
  return path;
};

test('a certificate is asked for with a key that stays on the server, and is shown as soon as it is uploaded', {
  timeout: 180_000,
}, async () => {
  const links = (await server.client.listNodes({})).nodes.map(({ since }) => since);
  const asked = await terminal.run(['certificates', 'request', 'cs.example', '127.0.0.1']);
  expect(asked.code, asked.stderr).toBe(0);
  expect(asked.stdout).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----/);
  expect(asked.stdout).not.toContain('PRIVATE KEY');
  expect((await stat(join(server.folder, 'ui-request.pem'))).mode & 0o777).toBe(0o600);
  const signed = await signRequest(asked.stdout, lower);
  // In any order, root included.
  const pem = await file('signed.pem', [root, lower].map((one) => one.pem).join('') + signed + middle.pem);
  const said = await terminal.run(['certificates', 'upload', pem, '--json']);
  expect(said.code, said.stdout).toBe(0);
  expect(said.json).toMatchObject({ source: 'uploaded', complete: true, subject: 'CN=cs.example' });
  for (const name of [undefined, 'cs.example']) {
    expect(await subjects(name)).toEqual(['CN=cs.example', 'CN=Paper Lower', 'CN=Paper Middle']);
  }
  expect(await readdir(server.folder)).not.toContain('ui-request.pem');
  // This command line was told over the connection that it trusted.
  const after = await terminal.run(['certificates', 'show']);
  expect(after.code, after.stderr).toBe(0);
  expect(after.stdout).toContain('CN=Paper Lower');
  expect((await server.client.listNodes({})).nodes.map(({ since }) => since)).toEqual(links);
});

test('nodes know the server by its key before and after: links stay, and new ones are made', async () => {
  const identity = await createIdentity('probe');
  const { hostname: host, port } = new URL(server.ready.url);
  const target = { host, port: Number(port) };
  (await dialIdentity(target, identity, server.ready.pin, AbortSignal.timeout(10_000))).destroy();
  await pair.left.stop();
  pair.left.start();
  await until(
    () => server.client.listNodes({}),
    ({ nodes }) => nodes.every(({ connected }) => connected),
  );
});

test('it is there again after a kill, and issuers that came once complete the next one', async () => {
  await server.killAndRestart();
  expect((await subjects())[0]).toBe('CN=cs.example');
  const asked = await server.client.requestCertificate({ body: { names: ['127.0.0.1'], keyType: 'rsa' } });
  const view = await upload({ pem: await signRequest(asked.request, lower) });
  expect(view.issuers.map(({ subject }) => subject)).toEqual(['CN=Paper Lower', 'CN=Paper Middle']);
  expect(await subjects()).toEqual(['CN=127.0.0.1', 'CN=Paper Lower', 'CN=Paper Middle']);
});

test('what does not fit is refused with its reason, and the one in use stays', async () => {
  const before = await subjects();
  const other = await issue('Other Root', null, { ca: true });
  const names = ['127.0.0.1'];
  const [good, old, young, foreign, nameless, ca, noCa, expiredIssuer] = await Promise.all([
    issue('good', root, { names }),
    issue('old', root, { names, from: -9, days: -1 }),
    issue('young', root, { names, from: 3 }),
    issue('foreign', root, { names: ['elsewhere.example'] }),
    issue('nameless', root),
    issue('ca', root, { names, ca: true }),
    issue('no ca', root),
    issue('Old CA', root, { ca: true, from: -9, days: -1 }),
  ]);
  const [stray, late] = await Promise.all([issue('stray', noCa, { names }), issue('late', expiredIssuer, { names })]);
  const cases: [string, { pem: string; names?: string[]; password?: string }, RegExp][] = [
    ['no key', { pem: good.pem }, /none of the certificates belongs to the key: CN=good/],
    ['another key', { pem: good.pem + (await keyOf(old)) }, /belongs to the key/],
    ['expired', { pem: old.pem + (await keyOf(old)) }, /"CN=old" expired on \d{4}-/],
    ['too early', { pem: young.pem + (await keyOf(young)) }, /"CN=young" is valid from \d{4}-/],
    ['name', { pem: foreign.pem + (await keyOf(foreign)) }, /not for "127.0.0.1", but for DNS:elsewhere.example/],
    ['named', { pem: good.pem + (await keyOf(good)), names: ['cs.example'] }, /not for "cs.example"/],
    ['no name', { pem: nameless.pem + (await keyOf(nameless)) }, /names no host/],
    ['a CA', { pem: ca.pem + (await keyOf(ca)) }, /certificate of a CA/],
    ['no CA', { pem: stray.pem + (await keyOf(stray)) + noCa.pem }, /"CN=no ca" signed the certificate, and is no CA/],
    ['issuer expired', { pem: late.pem + (await keyOf(late)) + expiredIssuer.pem }, /"CN=Old CA" expired/],
    ['strange', { pem: good.pem + (await keyOf(good)) + other.pem }, /"CN=Other Root" is in the file and has signed/],
    ['nothing', { pem: await keyOf(good) }, /no certificate in the file/],
    ['broken', { pem: good.pem.replace(/M[A-Za-z0-9+/]{20}/, 'AAAA') }, /cannot be read/],
  ];
  for (const [what, body, reason] of cases) {
    await expect(upload(body), what).rejects.toMatchObject({
      code: 'certificate.refused',
      message: expect.stringMatching(reason),
    });
  }
  await expect(upload({ pem: good.pem, pkcs12: 'AAAA' })).rejects.toMatchObject({ code: 'input.invalid' });
  await expect(upload({ pkcs12: 'AAAA' })).rejects.toMatchObject({ code: 'certificate.refused' });
  expect(await subjects()).toEqual(before);
  // Of an issuer that nobody here knows: it is taken, and said.
  const alone = await issue('alone', other, { names });
  const view = await upload({ pem: alone.pem + (await keyOf(alone)) });
  expect(view).toMatchObject({ complete: false, missing: 'CN=Other Root' });
  expect((await terminal.run(['certificates', 'trust', '--fingerprint', view.sha256])).code).toBe(0);
});

test.each([
  ['AES-256', ['-keypbe', 'AES-256-CBC', '-certpbe', 'AES-256-CBC', '-macalg', 'sha256']],
  ['3DES', ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']],
  ['AES-128 SHA-512', ['-keypbe', 'AES-128-CBC', '-certpbe', 'NONE', '-macalg', 'sha512']],
] as const)('a PKCS#12 file of openssl (%s) is taken with its password only', async (name, words) => {
  const leaf = await issue(`pkcs12 ${name}`, lower, { names: ['127.0.0.1'] });
  const [own, key, issuers, password, out] = await Promise.all([
    file('own.pem', leaf.pem),
    file('own.key', await keyOf(leaf)),
    file('issuers.pem', middle.pem + lower.pem),
    file('password', 'pässwörd 1\n'),
    file('out.p12', ''),
  ]);
  const made = ['pkcs12', '-export', '-in', own, '-inkey', key, '-certfile', issuers, '-out', out, ...words];
  if ((await openssl([...made, '-passout', 'pass:p4ss wörd'])) === null) return;
  const wrong = await terminal.run(['certificates', 'upload', out, '--password-file', password, '--json']);
  expect(faultCode(wrong)).toBe('certificate.refused');
  expect(wrong.stdout).toContain('password of the PKCS#12 file is wrong');
  await file('password', 'p4ss wörd\n');
  const said = await terminal.run(['certificates', 'upload', out, '--password-file', password, '--json']);
  // openssl takes its words as Latin-1 on some machines: those of ASCII are tried as well.
  if (said.code !== 0) {
    await openssl([...made, '-passout', 'pass:plain-one']);
    await file('password', 'plain-one\n');
    const plain = await terminal.run(['certificates', 'upload', out, '--password-file', password, '--json']);
    expect(plain.code, plain.stdout).toBe(0);
  }
  expect(await subjects()).toEqual([`CN=pkcs12 ${name}`, 'CN=Paper Lower', 'CN=Paper Middle']);
});

test('a command line that knew another certificate shows both and asks', async () => {
  const session = join(terminal.home, 'session.json');
  const before = JSON.parse(await readFile(session, 'utf8')) as { fingerprint: string };
  const leaf = await issue('renewed', lower, { names: ['127.0.0.1'] });
  // Somebody else uploads it.
  await upload({ pem: leaf.pem + (await keyOf(leaf)) });
  const now = plainHex(new X509Certificate(leaf.pem).fingerprint256);
  const said = await terminal.run(['clouds', 'list']);
  expect(faultCode(said)).toBe('cloud.untrusted');
  const colons = (hex: string) => hex.replace(/..(?=.)/g, '$&:');
  for (const word of [colons(before.fingerprint), colons(now), 'CN=renewed', 'CN=Paper Lower'])
    expect(said.stderr).toContain(word);
  expect(said.stderr).toContain(`certificates trust --fingerprint ${now}`);
  const wrong = await terminal.run(['certificates', 'trust', '--fingerprint', '1'.repeat(64)]);
  expect(faultCode(wrong)).toBe('cloud.untrusted');
  expect((await terminal.run(['certificates', 'trust', '--fingerprint', now])).code).toBe(0);
  expect((await terminal.run(['clouds', 'list'])).code).toBe(0);
});

test('keys are in no answer, no log of actions, and for their owner only on the disk', async () => {
  const key = (await readFile(join(server.folder, 'ui.pem'), 'utf8')).split('\n')[1] ?? '?';
  const answers = [await server.client.getCertificate({}), await server.client.listAudit({ query: {} })];
  expect(JSON.stringify(answers)).toContain('uploadCertificate');
  expect(JSON.stringify(answers)).not.toContain(key);
  expect(JSON.stringify(answers)).not.toContain('PRIVATE KEY');
  expect((await stat(join(server.folder, 'ui.pem'))).mode & 0o777).toBe(0o600);
});
