import { open, truncate } from 'node:fs/promises';

/** For tests: what a disk or a killed process does to a segment. */
export async function flipBit(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, position);
    byte[0]! ^= 0x10;
    await file.write(byte, 0, 1, position);
  } finally {
    await file.close();
  }
}

/** As if the process had been killed while it wrote the segment: without its footer. */
export async function unseal(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const end = Buffer.alloc(64);
    await file.read(end, 0, 64, size - 64);
    await truncate(path, size - 64 * (end.readUInt32BE(4) + 2));
  } finally {
    await file.close();
  }
}
