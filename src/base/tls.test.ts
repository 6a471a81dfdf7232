import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CloudHttp } from './http.ts';
import { createIdentity, type Identity, loadIdentity, signWith, verifyWith } from './identity.ts';
import { dialCloud, dialIdentity, identityServerOptions, pinOfPeer, probeCertificate } from './tls.ts';

let folder = '';
let ours: Identity;
let theirs: Identity;
let server: Server;
let target: { host: string; port: number };
let received = '';
const signal = AbortSignal.timeout(30_000);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-tls-'));
  ours = await loadIdentity(folder, 'node', 'ours');
  theirs = await createIdentity('theirs');
  server = createServer(identityServerOptions(theirs), (socket: TLSSocket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      received += data;
    });
    socket.write(pinOfPeer(socket) ?? 'nobody');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

describe('an identity', () => {
  it('is the same after a restart, and its key is readable by its owner only', async () => {
    expect(await loadIdentity(folder, 'node', 'ours')).toEqual(ours);
    expect((await stat(join(folder, 'node.key'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(folder, 'node.key'), 'utf8')).toContain('PRIVATE KEY');
  });

  it('signs what only its own certificate verifies', () => {
    const signature = signWith(ours, 'ticket');
    expect(verifyWith(ours.certificate, 'ticket', signature)).toBe(true);
    expect(verifyWith(ours.certificate, 'another', signature)).toBe(false);
    expect(verifyWith(theirs.certificate, 'ticket', signature)).toBe(false);
  });
});

describe('a connection between identities', () => {
  it('is made when the pin fits, and shows our pin to the other side', async () => {
    const socket = await dialIdentity(target, ours, theirs.pin, signal);
    const [first] = (await new Promise<Buffer[]>((done) => socket.once('data', (data) => done([data])))) as [Buffer];
    expect(first.toString()).toBe(ours.pin);
    socket.destroy();
  });

  it('is refused before a byte is sent when the pin is another', async () => {
    received = '';
    await expect(dialIdentity(target, ours, ours.pin, signal)).rejects.toMatchObject({ code: 'node.untrusted' });
    expect(received).toBe('');
  });

  it('says that nobody is there', async () => {
    await expect(dialIdentity({ host: '127.0.0.1', port: 1 }, ours, theirs.pin, signal)).rejects.toMatchObject({
      code: 'node.unreachable',
    });
  });
});

describe('a connection to a cloud', () => {
  it('is believed by the fingerprint that was seen, and by no other', async () => {
    const seen = await probeCertificate(target, signal);
    (await dialCloud(target, { kind: 'pin', sha256: seen.sha256 }, 'test', signal)).destroy();
    await expect(dialCloud(target, { kind: 'pin', sha256: 'ab'.repeat(32) }, 'test', signal)).rejects.toMatchObject({
      code: 'cloud.untrusted',
    });
  });

  it('is believed by a CA only if that CA signed the certificate', async () => {
    await expect(dialCloud(target, { kind: 'ca', pem: ours.certificate }, 'test', signal)).rejects.toMatchObject({
      code: 'cloud.untrusted',
    });
  });

  it('never goes by plain HTTP', async () => {
    const http = new CloudHttp({ trust: { kind: 'pin', sha256: 'ab'.repeat(32) }, who: 'test', stallSeconds: 5 });
    await expect(http.request({ method: 'GET', url: 'http://127.0.0.1/', signal })).rejects.toMatchObject({
      code: 'cloud.untrusted',
    });
    await http.close();
  });
});
