import { execFileSync } from 'node:child_process';
import { rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeGuestDisk, makeZeroDisk } from './guest-disk.ts';
import { makeDisk } from './material.ts';
import { median, type Row, run } from './measure.ts';

const GiB = 1024 ** 3;
const ROUNDS = 3;
const CODEC = join(import.meta.dirname, 'ours/vmdk.ts');
const PEER = 'qemu-img convert';
const ENCODE_AIM = 3;
const DECODE_AIM = 1.2;
const HASHED_AIM = 0.8;
/** Ours may be this much larger. */
const SIZE_AIM = 1 / 1.05;

interface Case {
  name: string;
  bytes: number;
  make: (path: string) => Promise<void>;
  /** What reads it out of the VMDK again would only write zeros: a disk of holes is decoded instead. */
  decode: boolean;
  encode: boolean;
}

const cases: Case[] = [
  {
    name: 'empty (4 GiB of written zeros)',
    bytes: 4 * GiB,
    make: (path) => makeZeroDisk(path, 4 * GiB),
    decode: false,
    encode: true,
  },
  {
    name: 'empty (100 GiB, never written)',
    bytes: 100 * GiB,
    make: async (path) => {
      await writeFile(path, '');
      await truncate(path, 100 * GiB);
    },
    decode: true,
    encode: false,
  },
  {
    name: 'incompressible (1 GiB)',
    bytes: GiB,
    make: (path) => makeDisk(path, GiB, 'dense'),
    decode: true,
    encode: true,
  },
  {
    name: 'mixed (1 GiB: random, machine code, text, nothing)',
    bytes: GiB,
    make: (path) => makeGuestDisk(path, GiB),
    decode: true,
    encode: true,
  },
];

/**
 * The stream-optimized VMDK codec beside `qemu-img convert`, both as processes that read a file and write one, by CPU
 * second of all their threads. Alternating; whatever they write is compared by root.
 */
export async function benchVmdk(folder: string): Promise<Row[]> {
  // Without it every run would strip the types again, which a released package never does.
  process.env.NODE_COMPILE_CACHE = join(folder, 'compile-cache');
  const rows: Row[] = [];
  const raw = join(folder, 'disk.raw');
  const ours = join(folder, 'ours.vmdk');
  const theirs = join(folder, 'theirs.vmdk');
  const out = join(folder, 'out.raw');
  const encodeOurs = () => run(process.execPath, [CODEC, 'encode', raw, ours]);
  const encodeTheirs = () =>
    run('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, theirs]);
  for (const one of cases) {
    await one.make(raw);
    await encodeTheirs();
    if (one.encode) {
      await encodeOurs();
      sameRoots(one.name, [ours, theirs], out);
      rows.push(await compare(`encode, ${one.name}`, one.bytes, ENCODE_AIM, encodeOurs, encodeTheirs));
      rows.push(await sizes(`encode, ${one.name}: size of the file`, ours, theirs));
    }
    if (one.decode) {
      const decode = (mode: string) => () => run(process.execPath, [CODEC, mode, theirs, out]);
      const decodeTheirs = () => run('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', theirs, out]);
      await decode('decode')();
      rows.push(await compare(`decode, ${one.name}`, one.bytes, DECODE_AIM, decode('decode'), decodeTheirs));
      const hashed = decode('decode-and-hash');
      rows.push(await compare(`decode and SHA-256, ${one.name}`, one.bytes, HASHED_AIM, hashed, decodeTheirs));
    }
    for (const path of [raw, ours, theirs, out]) await rm(path, { force: true });
  }
  return rows;
}

type Run = () => Promise<{ cpuSeconds: number }>;

async function compare(name: string, bytes: number, aim: number, ours: Run, theirs: Run): Promise<Row> {
  const rates: { ours: number; peer: number }[] = [];
  const rate = async (tool: Run) => bytes / 1e6 / Math.max(0.01, (await tool()).cpuSeconds);
  for (let round = 0; round < ROUNDS; round++) {
    if (round % 2 === 0) rates.push({ ours: await rate(ours), peer: await rate(theirs) });
    else {
      const peer = await rate(theirs);
      rates.push({ ours: await rate(ours), peer });
    }
  }
  return {
    case: name,
    unit: 'MB per CPU second',
    ours: median(rates.map((one) => one.ours)),
    peer: median(rates.map((one) => one.peer)),
    peerName: PEER,
    ratio: median(rates.map((one) => one.ours / one.peer)),
    aim,
  };
}

async function sizes(name: string, ours: string, theirs: string): Promise<Row> {
  const [one, other] = [(await stat(ours)).size, (await stat(theirs)).size];
  return {
    case: name,
    unit: 'MB',
    ours: one / 1e6,
    peer: other / 1e6,
    peerName: PEER,
    ratio: other / one,
    aim: SIZE_AIM,
  };
}

/** Ours and theirs decode to the same disk. */
function sameRoots(name: string, files: string[], out: string): void {
  const roots = files.map((file) =>
    execFileSync(process.execPath, [CODEC, 'decode-and-hash', file, out], { encoding: 'utf8' }),
  );
  if (new Set(roots).size !== 1) throw new Error(`${name}: the two VMDKs hold different disks`);
}
