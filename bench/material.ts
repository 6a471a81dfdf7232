import { randomFillSync } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

const MiB = 1024 * 1024;

/** Writes `bytes` of new random content at `offset`. */
async function fill(file: FileHandle, offset: number, bytes: number): Promise<void> {
  const chunk = Buffer.allocUnsafe(8 * MiB);
  for (let at = 0; at < bytes; at += chunk.length) {
    randomFillSync(chunk);
    await file.write(chunk, 0, Math.min(chunk.length, bytes - at), offset + at);
  }
}

/** A raw disk whose first half is incompressible and whose second half is a hole; or one without holes. */
export async function makeDisk(path: string, bytes: number, kind: 'half' | 'dense'): Promise<void> {
  const file = await open(path, 'w');
  try {
    await fill(file, 0, kind === 'half' ? bytes / 2 : bytes);
    await file.truncate(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Memory of these machines is backed lazily: write and delete a few GB before anything is timed. */
export async function warmUp(path: string): Promise<void> {
  await makeDisk(path, 2048 * MiB, 'dense');
}
