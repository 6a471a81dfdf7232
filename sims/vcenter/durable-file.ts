import { open, rename } from 'node:fs/promises';

/** Writes a small file so that after a crash it is either the old one or the new one, whole. */
export async function writeDurably(file: string, content: string, mode: number): Promise<void> {
  const beside = `${file}.new`;
  await using handle = await open(beside, 'w', mode);
  await handle.writeFile(content);
  await handle.sync();
  await rename(beside, file);
}
