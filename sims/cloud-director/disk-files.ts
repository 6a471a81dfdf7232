import { createCipheriv, createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a disk's data may lie, in units of 64 KiB: one bit per unit, kept beside the raw file. */
const unitBytes = 65_536;
const zeroUnit = Buffer.alloc(unitBytes);

/** Takes a disk's bytes at any offset; runs of zeros are not stored. */
export interface DiskWriter {
  write(offset: number, bytes: Buffer): Promise<void>;
}

/** Reads a disk at any offset; beyond the stored file there are zeros up to `bytes`. */
export interface DiskReader extends AsyncDisposable {
  readonly bytes: number;
  /** True when the range surely holds only zeros. */
  isHole(offset: number, length: number): boolean;
  read(offset: number, into: Buffer): Promise<void>;
}

/**
 * The raw disks of the simulated cloud: immutable sparse files named by a random id. Machines and templates share a
 * file by naming it, so a copy costs nothing, and a file that nobody names any more is removed by `sweep`.
 */
export class DiskFiles {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
  }

  /** Makes one file: `fill` writes into it, then it is made durable and becomes visible under the id returned. */
  async create(bytes: number, fill: (writer: DiskWriter) => Promise<void>): Promise<string> {
    const id = randomUUID();
    const part = join(this.folder, `${id}.part`);
    try {
      const handle = await open(part, 'wx');
      const map = Buffer.alloc(Math.ceil(Math.ceil(bytes / unitBytes) / 8));
      try {
        await handle.truncate(bytes);
        await fill({ write: (offset, data) => writeUnits(handle, map, offset, data) });
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await writeDurably(join(this.folder, `${id}.map`), map);
      await rename(part, join(this.folder, `${id}.raw`));
    } catch (error) {
      await rm(part, { force: true });
      await rm(join(this.folder, `${id}.map`), { force: true });
      throw error;
    }
    return id;
  }

  /** Opens a disk of `bytes` bytes; `id` null is an empty disk. */
  async open(id: string | null, bytes: number): Promise<DiskReader> {
    if (id === null) return emptyDisk(bytes);
    const handle = await open(join(this.folder, `${id}.raw`), 'r');
    try {
      const map = await readFile(join(this.folder, `${id}.map`));
      return fileDisk(handle, map, bytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Removes the files that `used` does not name. Only for a moment when no file is being made. */
  async sweep(used: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const [id = '', extension] = name.split('.');
      if (extension === 'part' || !used.has(id)) await rm(join(this.folder, name), { force: true });
    }
  }

  async remove(id: string): Promise<void> {
    await rm(join(this.folder, `${id}.raw`), { force: true });
    await rm(join(this.folder, `${id}.map`), { force: true });
  }
}

async function writeDurably(file: string, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(bytes);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

async function writeUnits(handle: FileHandle, map: Buffer, offset: number, data: Buffer): Promise<void> {
  let at = 0;
  while (at < data.length) {
    const unit = Math.floor((offset + at) / unitBytes);
    const piece = data.subarray(at, Math.min(data.length, (unit + 1) * unitBytes - offset));
    if (!piece.equals(zeroUnit.subarray(0, piece.length))) {
      await handle.write(piece, 0, piece.length, offset + at);
      map[unit >> 3]! |= 1 << (unit & 7);
    }
    at += piece.length;
  }
}

function emptyDisk(bytes: number): DiskReader {
  return {
    bytes,
    isHole: () => true,
    read: async (_offset, into) => {
      into.fill(0);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

function fileDisk(handle: FileHandle, map: Buffer, bytes: number): DiskReader {
  return {
    bytes,
    isHole: (offset, length) => {
      for (let unit = Math.floor(offset / unitBytes); unit * unitBytes < offset + length; unit++) {
        if (((map[unit >> 3] ?? 0) & (1 << (unit & 7))) !== 0) return false;
      }
      return true;
    },
    read: async (offset, into) => {
      let got = 0;
      while (got < into.length) {
        const { bytesRead } = await handle.read(into, got, into.length - got, offset + got);
        if (bytesRead === 0) break;
        got += bytesRead;
      }
      into.fill(0, got);
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Writes `dataBytes` of incompressible bytes, the same for the same seed, as 1 MiB runs spread over the disk. */
export async function fillPseudoRandom(
  writer: DiskWriter,
  diskBytes: number,
  seed: string,
  dataBytes: number,
): Promise<void> {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16, 32));
  const runBytes = 1 << 20;
  const total = Math.min(dataBytes, diskBytes);
  const runs = Math.ceil(total / runBytes);
  const stride = Math.max(1, Math.floor(Math.ceil(diskBytes / runBytes) / Math.max(1, runs))) * runBytes;
  const zeros = Buffer.alloc(runBytes);
  for (let run = 0; run < runs; run++) {
    const offset = run * stride;
    const length = Math.min(runBytes, total - run * runBytes, diskBytes - offset);
    if (length > 0) await writer.write(offset, cipher.update(zeros.subarray(0, length)));
  }
}

/** Copies a raw file of the host into a disk. */
export async function fillFromFile(writer: DiskWriter, file: string): Promise<void> {
  let offset = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    const bytes = chunk as Buffer;
    await writer.write(offset, bytes);
    offset += bytes.length;
  }
}
