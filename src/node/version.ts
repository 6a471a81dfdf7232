import { existsSync, readFileSync } from 'node:fs';

/** Of the package this file is part of. */
export const VERSION = readVersion(new URL('.', import.meta.url));

function readVersion(folder: URL): string {
  const file = new URL('package.json', folder);
  if (existsSync(file)) {
    const content = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
    if (content.name === 'cloudspan' && content.version !== undefined) return content.version;
  }
  const parent = new URL('..', folder);
  return parent.href === folder.href ? '0.0.0' : readVersion(parent);
}
