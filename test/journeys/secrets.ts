import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Command lines of all processes that can be seen. */
export async function commandLines(): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => ''));
  return (await Promise.all(lines)).filter((line) => line !== '');
}

/** Files below a folder that hold one of the words. */
export async function filesWith(folder: string, words: readonly string[]): Promise<string[]> {
  const needles = words.map((word) => Buffer.from(word));
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    // A running part may remove files while we look.
    const content = await readFile(file).catch(() => Buffer.alloc(0));
    if (needles.some((needle) => content.includes(needle))) found.push(file);
  }
  return found;
}
