/** Disks made and judged by qemu-img, which shares no code with Cloudspan or its labs. */
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { outcome, run } from './program.ts';
import { pathOf } from './witnesses.ts';

export const MIB = 1024 * 1024;

/**
 * A raw, sparse disk with bytes that are new at every call: a run at its beginning, one across the middle, one that ends
 * with the disk.
 */
export async function writeRawDisk(file: string, capacityBytes: number, dataBytes: number): Promise<void> {
  await using raw = await open(file, 'w');
  await raw.truncate(capacityBytes);
  const runBytes = Math.floor(dataBytes / 3 / 512) * 512;
  const middle = Math.floor((capacityBytes - runBytes) / 2 / 512) * 512;
  for (const start of [0, middle, capacityBytes - runBytes]) {
    for (let at = 0; at < runBytes; at += MIB) {
      const bytes = randomBytes(Math.min(MIB, runBytes - at));
      await raw.write(bytes, 0, bytes.length, start + at);
    }
  }
}

export async function toStreamOptimized(raw: string, vmdk: string): Promise<void> {
  await run(pathOf('qemu-img'), [
    'convert',
    '-f',
    'raw',
    '-O',
    'vmdk',
    '-o',
    'subformat=streamOptimized,adapter_type=lsilogic',
    raw,
    vmdk,
  ]);
}

/**
 * Why two disks are not the same bytes, or undefined when they are. A longer disk is the same when what it has more is
 * zero: clouds round sizes up.
 */
export async function difference(raw: string, image: string, format: 'raw' | 'vmdk'): Promise<string | undefined> {
  const { status, stdout, stderr } = await outcome(pathOf('qemu-img'), [
    'compare',
    '-f',
    'raw',
    '-F',
    format,
    raw,
    image,
  ]);
  return status === 0 ? undefined : `${stdout}${stderr}`.trim() || `qemu-img compare ended with ${status}`;
}

export async function virtualBytes(image: string, format: 'raw' | 'vmdk'): Promise<number> {
  const text = await run(pathOf('qemu-img'), ['info', '--output=json', '-f', format, image]);
  return (JSON.parse(text) as { 'virtual-size': number })['virtual-size'];
}
