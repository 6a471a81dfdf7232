import { Fault } from '../../model/fault.ts';

function decodedOnce(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function trick(path: string): string | null {
  if (path === '') return 'is empty';
  if (/\p{Cc}/u.test(path)) return 'has control characters';
  if (path.includes('\\')) return 'has a backslash';
  if (path.startsWith('/')) return 'is absolute';
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) return 'has a scheme or a drive';
  if (path.split('/').some((part) => part === '..' || part === '.' || part === '')) return 'leaves its folder';
  return null;
}

/**
 * The path that a reference of a package means, below the descriptor's own folder: percent-encoding is undone once.
 * Refuses what leads elsewhere in any reading, encoded once, twice or not at all. Fault: `ovf.hostile`.
 */
export function pathOfHref(href: string): string {
  const path = decodedOnce(href);
  let reading = path;
  for (let depth = 0; depth < 4; depth++) {
    const reason = trick(reading);
    if (reason) throw new Fault('ovf.hostile', `the package names the file ${JSON.stringify(href)}, which ${reason}`);
    reading = decodedOnce(reading);
  }
  const raw = trick(href);
  if (raw) throw new Fault('ovf.hostile', `the package names the file ${JSON.stringify(href)}, which ${raw}`);
  return path;
}
