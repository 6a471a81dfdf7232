import { randomFillSync } from 'node:crypto';
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const MiB = 1024 * 1024;
const RUN_BYTES = 16 * MiB;
const SOURCES = resolve(import.meta.dirname, '../node_modules');

/** The sources of our dependencies, one behind the other. */
async function text(bytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  const names = await readdir(SOURCES, { recursive: true });
  for (const name of names.filter((one) => /\.(js|ts|md|json)$/.test(one)).sort()) {
    if (length >= bytes) break;
    const part = await readFile(join(SOURCES, name)).catch(() => Buffer.alloc(0));
    parts.push(part);
    length += part.length;
  }
  return Buffer.concat(parts).subarray(0, bytes);
}

/**
 * A raw disk as a guest leaves it: runs of 16 MiB of random bytes (media, archives), machine code (the Node binary), text
 * (sources), and nothing, in turn. Contents repeat where there is too little of them, farther apart than any window.
 */
export async function makeGuestDisk(path: string, bytes: number): Promise<void> {
  const code = await readFile(process.execPath);
  const prose = await text(bytes / 4);
  const file = await open(path, 'w');
  try {
    const run = Buffer.alloc(RUN_BYTES);
    for (let number = 0; number * RUN_BYTES < bytes; number++) {
      const source = [null, code, prose][number % 4];
      if (source === undefined) continue;
      if (source === null) randomFillSync(run);
      else fillFrom(source, run, Math.floor(number / 4) * RUN_BYTES);
      await file.write(run, 0, RUN_BYTES, number * RUN_BYTES);
    }
    await file.truncate(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

function fillFrom(source: Buffer, run: Buffer, start: number): void {
  for (let at = 0; at < run.length; ) {
    const from = (start + at) % source.length;
    at += source.copy(run, at, from, Math.min(source.length, from + run.length - at));
  }
}

/** Zeros that were written, as on a thick disk: not a hole. */
export async function makeZeroDisk(path: string, bytes: number): Promise<void> {
  const zeros = Buffer.alloc(8 * MiB);
  const file: FileHandle = await open(path, 'w');
  try {
    for (let at = 0; at < bytes; at += zeros.length) await file.write(zeros, 0, zeros.length, at);
    await file.sync();
  } finally {
    await file.close();
  }
}
