import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Command lines of all processes that can be seen. */
export async function commandLines(): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => ''));
  return (await Promise.all(lines)).filter((line) => line !== '');
}

/** Command lines of all processes, and the environments of those that the given ones started, gathered until `stop`. */
export function watchProcesses(parents: () => number[]): { stop(): Promise<string> } {
  const seen = new Set<string>();
  let going = true;
  const watching = (async () => {
    while (going) {
      for (const line of await commandLines()) seen.add(line);
      const known = new Set(parents());
      for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
        const stat = await readFile(`/proc/${id}/stat`, 'utf8').catch(() => '');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        if (!known.has(parent)) continue;
        known.add(Number(id));
        seen.add(await readFile(`/proc/${id}/environ`, 'utf8').catch(() => ''));
      }
      await sleep(100);
    }
  })();
  return {
    async stop() {
      going = false;
      await watching;
      return [...seen].join('\n');
    },
  };
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
