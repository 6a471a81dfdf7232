import { duplexPair } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { randomNumbers, SampleReceiver, SampleSource, sampleBlock, samplePackage } from '../sample-transfer.ts';
import { decodeBlock, encodeBlock } from './codec.ts';
import {
  decodeEnd,
  decodeEntries,
  decodeJson,
  decodePlaces,
  encodeAnnouncements,
  encodeBlockHead,
  encodeFrame,
  encodeJson,
  encodePlaces,
  FrameReader,
  type FrameType,
  RECEIVER_HEARS,
} from './wire.ts';

const hash = Buffer.alloc(32, 5);

function readerOf() {
  const seen: unknown[] = [];
  const place = Buffer.alloc(BLOCK_BYTES);
  const reader = new FrameReader(RECEIVER_HEARS, {
    frame: (type, payload) => seen.push([type, Buffer.from(payload).toString('hex')]),
    begin: () => place,
    block: (head, data) => seen.push([head, Buffer.from(data)]),
  });
  return { reader, seen };
}

describe('the frames of the block connection', () => {
  it('come out as they went in, however the bytes are cut', () => {
    const data = sampleBlock(3).subarray(0, 5000);
    const stream = Buffer.concat([
      encodePlaces('held', [
        { disk: 1, index: 2 },
        { disk: 3, index: 0xfffffffe },
      ]),
      encodeFrame('ping'),
      encodeBlockHead({ disk: 7, index: 9, codec: 'zstd', repeated: true, patch: false, length: data.length }),
      data,
      ...encodeAnnouncements([
        { kind: 'entry', disk: 0, index: 1, hash },
        { kind: 'entry', disk: 0, index: 2, hash },
        { kind: 'end', disk: 0, blocks: 3, root: 'ab'.repeat(32) },
      ]),
    ]);
    const next = randomNumbers(99);
    for (const most of [1, 7, 100, stream.length]) {
      const { reader, seen } = readerOf();
      for (let at = 0; at < stream.length; ) {
        const length = 1 + Math.floor(next() * most);
        reader.push(stream.subarray(at, at + length));
        at += length;
      }
      expect(seen.map((one) => (one as unknown[])[0])).toEqual([
        'held',
        'ping',
        { disk: 7, index: 9, codec: 'zstd', repeated: true, patch: false, length: 5000 },
        'entries',
        'end',
      ]);
      expect((seen[2] as [unknown, Buffer])[1].equals(data)).toBe(true);
      const payload = (at: number) => Buffer.from((seen[at] as [string, string])[1], 'hex');
      expect(decodePlaces(payload(0))).toEqual([
        { disk: 1, index: 2 },
        { disk: 3, index: 0xfffffffe },
      ]);
      expect(decodeEntries(payload(3)).map(({ index }) => index)).toEqual([1, 2]);
      expect(decodeEnd(payload(4))).toEqual({ disk: 0, blocks: 3, root: 'ab'.repeat(32) });
    }
  });

  it('are refused when they are unknown, too long, or not in their form', () => {
    const head = (type: number, length: number) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt8(type, 0);
      bytes.writeUInt32BE(length, 4);
      return bytes;
    };
    for (const bytes of [
      head(99, 0),
      head(1, 4),
      head(16, 0xffffffff),
      head(19, 12),
      head(19, BLOCK_BYTES + 13),
      head(31, 1),
    ]) {
      expect(() => readerOf().reader.push(bytes)).toThrow(/broke the rules/);
    }
    expect(() => decodePlaces(Buffer.alloc(7))).toThrow(/broke the rules/);
    expect(() => decodeEntries(Buffer.alloc(41))).toThrow(/broke the rules/);
    for (const text of ['', '[]', 'null', '{', '7'])
      expect(() => decodeJson(Buffer.from(text))).toThrow(/broke the rules/);
  });
});

describe('the codec', () => {
  it('compresses what shrinks, leaves alone what does not, and refuses what is no block', async () => {
    const text = Buffer.alloc(BLOCK_BYTES, 'all work and no play ');
    const small = await encodeBlock(text);
    expect(small.codec).toBe('zstd');
    expect(small.data.length).toBeLessThan(BLOCK_BYTES / 100);
    expect((await decodeBlock(small.data, BLOCK_BYTES))?.equals(text)).toBe(true);
    const short = Buffer.from('the last block of a file, the last block of a file');
    const shorter = await encodeBlock(short);
    expect(shorter.codec).toBe('zstd');
    expect((await decodeBlock(shorter.data, short.length))?.equals(short)).toBe(true);
    expect(await decodeBlock(shorter.data, short.length - 1)).toBeNull();
    const random = sampleBlock(1);
    expect(await encodeBlock(random)).toEqual({ codec: 'raw', data: random });
    expect(await decodeBlock(Buffer.from('no zstd'), BLOCK_BYTES)).toBeNull();
    expect(await decodeBlock(zstdCompressSync(Buffer.alloc(100 * BLOCK_BYTES)), BLOCK_BYTES)).toBeNull();
    expect(await decodeBlock(zstdCompressSync(Buffer.alloc(100)), BLOCK_BYTES)).toBeNull();
  });
});

let receiver: SampleReceiver;
let transfers = 0;
beforeAll(async () => {
  receiver = await SampleReceiver.create();
});
afterAll(() => receiver.close());

/** Answers a pull with what `script` says, frame by frame. */
async function pullFrom(script: (heard: FrameType, payload: Buffer) => Buffer[]) {
  const source = new SampleSource({ a: { capacityBytes: 4 * BLOCK_BYTES, blocks: [] } });
  const pull = receiver.start(source, {
    connections: 1,
    transfer: `t${++transfers}`,
    take: async () => {
      const [ours, theirs] = duplexPair();
      const reader = new FrameReader(['hello', 'map', 'ask', 'have', 'list', 'again', 'done', 'ping'], {
        frame: (type, payload) => {
          for (const part of script(type, payload)) theirs.write(part);
        },
        begin: () => Buffer.alloc(0),
        block: () => {},
      });
      theirs.on('data', (chunk: Buffer) => reader.push(chunk));
      theirs.on('error', () => {});
      return ours;
    },
  });
  try {
    await pull.finished;
    return null;
  } catch (error) {
    return error;
  } finally {
    await source.close();
    await pull.close();
  }
}

const description = samplePackage({ a: { capacityBytes: 4 * BLOCK_BYTES, blocks: [] } });
const welcome = encodeJson('welcome', { version: 1, incarnation: 'x', description });
const entry = (disk: number, index: number, sum = hash) =>
  encodeAnnouncements([{ kind: 'entry', disk, index, hash: sum }]);
const rules = expect.objectContaining({ code: 'transfer.mismatch', retry: 'never' });

describe('a pull from a broken source', () => {
  const broken: Record<string, (heard: FrameType) => Buffer[]> = {
    'speaks before it is greeted': (heard) => (heard === 'hello' ? [encodeFrame('settled')] : []),
    'sends no description': (heard) => (heard === 'hello' ? [encodeJson('welcome', { incarnation: 'x' })] : []),
    'claims a disk without end': (heard) =>
      heard === 'hello'
        ? [
            encodeJson('welcome', {
              incarnation: 'x',
              description: samplePackage({ a: { capacityBytes: 2 ** 52, blocks: [] } }),
            }),
          ]
        : [],
    'announces a disk that does not exist': (heard) =>
      heard === 'hello' ? [welcome] : heard === 'map' ? entry(9, 0) : [],
    'announces a block behind the end': (heard) => (heard === 'hello' ? [welcome] : heard === 'map' ? entry(0, 4) : []),
    'announces blocks in the wrong order': (heard) =>
      heard === 'hello' ? [welcome] : heard === 'map' ? [...entry(0, 2), ...entry(0, 1)] : [],
    'announces a hash of zeros': (heard) =>
      heard === 'hello' ? [welcome] : heard === 'map' ? entry(0, 2, Buffer.alloc(32)) : [],
    'ends a disk with a wrong root': (heard) =>
      heard === 'hello'
        ? [welcome]
        : heard === 'map'
          ? encodeAnnouncements([{ kind: 'end', disk: 0, blocks: 0, root: 'cd'.repeat(32) }])
          : [],
    'sends a block that nobody asked for': (heard) =>
      heard === 'hello'
        ? [
            welcome,
            encodeBlockHead({ disk: 0, index: 0, codec: 'raw', repeated: false, patch: false, length: BLOCK_BYTES }),
          ]
        : [],
    'sends a block that is too short': (heard) =>
      heard === 'hello'
        ? [welcome]
        : heard === 'map'
          ? entry(0, 0)
          : heard === 'ask'
            ? [encodeBlockHead({ disk: 0, index: 0, codec: 'raw', repeated: false, patch: false, length: 5 })]
            : [],
  };
  it.each(Object.entries(broken))('ends with a fault when it %s', async (_, script) => {
    expect(await pullFrom(script)).toEqual(rules);
  });

  it('asks three times for a block that has another hash, and then says so', async () => {
    let asked = 0;
    const fault = await pullFrom((heard) => {
      if (heard === 'hello') return [welcome];
      if (heard === 'map') return entry(0, 3);
      if (heard !== 'ask') return [];
      asked++;
      const length = BLOCK_BYTES;
      return [
        encodeBlockHead({ disk: 0, index: 3, codec: 'raw', repeated: asked > 1, patch: false, length }),
        sampleBlock(asked),
      ];
    });
    expect(fault).toMatchObject({ code: 'transfer.mismatch', retry: 'soon' });
    expect(String(fault)).toContain('block 3 of disk a');
    expect(asked).toBe(3);
  });

  it('ends with the words of a source that speaks another version', async () => {
    const report = { code: 'protocol.version', message: 'too old', remedy: 'update', retry: 'never' };
    expect(await pullFrom(() => [encodeJson('fault', report)])).toMatchObject({ code: 'protocol.version' });
  });
});

describe('an offer to a broken receiver', () => {
  const attack = (...parts: Buffer[]) => {
    const source = new SampleSource({ a: { capacityBytes: BLOCK_BYTES, blocks: [1] } });
    const [ours, theirs] = duplexPair();
    source.server.accept(theirs);
    const closed = new Promise((resolve) => theirs.on('close', resolve));
    const heard: Buffer[] = [];
    ours.on('data', (chunk: Buffer) => heard.push(chunk));
    ours.on('error', () => {});
    for (const part of parts) ours.write(part);
    return { source, closed, heard };
  };
  const hello = encodeJson('hello', { versions: [1, 1], transfer: 't1' });
  const many = Array.from({ length: 2000 }, (_, index) => ({ disk: 0, index }));

  it.each<[string, Buffer[]]>([
    ['asks before it greets', [encodePlaces('ask', [{ disk: 0, index: 0 }])]],
    ['greets without words', [encodeJson('hello', {})]],
    ['asks for too much at once', [hello, encodePlaces('ask', many)]],
    ['sends noise', [Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
    ['wants another transfer', [encodeJson('hello', { versions: [1, 1], transfer: 'other' })]],
    ['speaks another version', [encodeJson('hello', { versions: [2, 9], transfer: 't1' })]],
  ])('closes the connection and stays whole when it %s', async (_, parts) => {
    const { source, closed } = attack(...parts);
    await closed;
    expect(source.offer.fault).toBeNull();
    await source.close();
  });

  it('says that it has no such block', async () => {
    const { source, heard } = attack(hello, encodePlaces('ask', [{ disk: 5, index: 77 }]));
    await expect.poll(() => Buffer.concat(heard).includes(encodePlaces('gone', [{ disk: 5, index: 77 }]))).toBe(true);
    await source.close();
  });
});
