import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Identity, loadIdentity } from './identity.ts';
import { readAll } from './reads.ts';
import { identityClientOptions, identityServerOptions } from './tls.ts';

const BYTES = 5 * 1024 * 1024 + 17;
let folder: string;
let identity: Identity;
let dialled: TLSSocket;
let accepted: TLSSocket;
let close: () => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-reads-'));
  identity = await loadIdentity(folder, 'one', 'one');
  const server = createServer(identityServerOptions(identity));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const tcp = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
  dialled = connect({ ...identityClientOptions(identity), socket: tcp });
  [[accepted]] = (await Promise.all([once(server, 'secureConnection'), once(dialled, 'secureConnect')])) as [
    [TLSSocket],
    unknown,
  ];
  close = () => {
    dialled.destroy();
    accepted.destroy();
    server.close();
  };
});
afterEach(async () => {
  close();
  await rm(folder, { recursive: true });
});

const sum = (...parts: Uint8Array[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** What a socket reads until its end: the digest, and how many buffers held it. */
async function readToEnd(socket: Duplex) {
  const hash = createHash('sha256');
  const buffers = new Set<ArrayBufferLike>();
  readAll(socket, (buffer, bytes) => {
    buffers.add(buffer.buffer);
    hash.update(buffer.subarray(0, bytes));
  });
  await once(socket, 'end');
  return { digest: hash.digest('hex'), buffers: buffers.size };
}

describe('reading all of a socket', () => {
  test.each([
    ['accepted', () => ({ reading: accepted, writing: dialled })],
    ['dialled', () => ({ reading: dialled, writing: accepted })],
  ])('that was %s: everything comes, through one buffer, and the end is told', async (_what, sockets) => {
    const { reading, writing } = sockets();
    const content = randomBytes(BYTES);
    writing.end(content);
    expect(await readToEnd(reading)).toEqual({ digest: sum(content), buffers: 1 });
  });

  test('what had come before is not lost', async () => {
    const early = randomBytes(3000);
    const late = randomBytes(200_000);
    dialled.write(early);
    await once(accepted, 'readable');
    accepted.unshift(Buffer.from('head'));
    dialled.end(late);
    expect((await readToEnd(accepted)).digest).toBe(sum(Buffer.from('head'), early, late));
  });

  test('a stream that is no socket gives its chunks', async () => {
    const stream = Duplex.from(
      (async function* () {
        yield Buffer.from('one');
        yield Buffer.from('two');
      })(),
    );
    expect((await readToEnd(stream)).digest).toBe(sum(Buffer.from('onetwo')));
  });

  test('nothing is told after it was destroyed', async () => {
    let told = 0;
    readAll(accepted, () => {
      told++;
      accepted.destroy();
    });
    dialled.on('error', () => {});
    dialled.write(randomBytes(BYTES));
    await once(accepted, 'close');
    expect(told).toBe(1);
  });
});
