import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../model/fault.ts';

/** Id of the folder itself, and what stands between the names of an id. */
export const ROOT = '/';

/**
 * The path of what an id names: below the root, no name of it a link, a dot or hidden. Nothing outside of the root is
 * ever looked at. Fault: `object.missing`.
 */
export async function pathInside(root: string, id: string, who: string): Promise<{ path: string; stats: Stats }> {
  const missing = () => new Fault('object.missing', `${who}: there is nothing at "${id}"`);
  const names = id === ROOT ? [] : id.split('/');
  let path = root;
  let stats = await lstat(path).catch((error) => {
    throw fileFault(error, who, 'look into the folder');
  });
  for (const name of names) {
    if (name === '' || name.startsWith('.') || /[\\\0]/.test(name)) throw missing();
    if (!stats.isDirectory()) throw missing();
    path = join(path, name);
    stats = await lstat(path).catch((error) => {
      const fault = fileFault(error, who, `look at "${id}"`);
      throw fault.code === 'object.missing' ? missing() : fault;
    });
  }
  if (!stats.isDirectory() && !stats.isFile()) throw missing();
  return { path, stats };
}

/** Opens a plain file to read; refuses links, pipes and devices. */
export async function openPlain(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw Object.assign(new Error(`${path} is no plain file`), { code: 'ELOOP' });
}

/** An error of the file system as a fault: what was to be done, and what is in the way. */
export function fileFault(error: unknown, who: string, what: string): Fault {
  if (error instanceof Fault) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const sentence = `${who}: could not ${what}: ${message}`;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new Fault('object.missing', sentence, { cause: error });
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new Fault('cloud.failed', `${sentence}; the folder's disk is full`, {
        cause: error,
        retry: 'later',
        remedy: 'Free space on the disk, or carry on with a larger one, then repeat: what is there is kept.',
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new Fault('auth.forbidden', sentence, {
        cause: error,
        remedy: 'Let the account of the node read and write the folder.',
      });
    case 'EIO':
    case 'ENODEV':
    case 'ENXIO':
    case 'ESTALE':
      return new Fault('cloud.unreachable', sentence, {
        cause: error,
        remedy: 'See that the disk is plugged in and mounted at the same place.',
      });
    case 'ELOOP':
      return new Fault('object.wrong-kind', `${sentence}; links are not followed`, { cause: error });
    default:
      return new Fault('cloud.failed', sentence, { cause: error });
  }
}
