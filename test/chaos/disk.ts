import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MiB = 1024 * 1024;
const FILLER = 'filler';

/** A small file system of its own for a folder. Only root mounts one. */
export interface SmallDisk {
  /** Takes what is left of it, to the last byte. */
  fill(): Promise<void>;
  free(): Promise<void>;
  remove(): Promise<void>;
}

export const canMount = process.getuid?.() === 0 && process.platform === 'linux';

export async function mountSmallDisk(folder: string, bytes: number): Promise<SmallDisk> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, 'cloudspan-test', folder]);
  const filler = join(folder, FILLER);
  return {
    async fill() {
      const file = await open(filler, 'w');
      try {
        for (let piece = Buffer.alloc(MiB, 1); piece.length > 0; ) {
          const written = await file.write(piece).then(
            ({ bytesWritten }) => bytesWritten,
            () => 0,
          );
          if (written < piece.length) piece = piece.subarray(0, Math.floor(piece.length / 2));
        }
      } finally {
        await file.close();
      }
    },
    free: () => rm(filler, { force: true }),
    async remove() {
      await run('umount', ['-l', folder]);
    },
  };
}
