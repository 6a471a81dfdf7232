import { execFile } from 'node:child_process';
import { constants, copyFile as copy, rm } from 'node:fs/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Copies a disk image, by reference where the file system can. */
export async function copyFile(from: string, to: string): Promise<void> {
  await rm(to, { force: true });
  await copy(from, to, constants.COPYFILE_FICLONE);
}

/** Bytes that `rsync` sends and receives to turn a copy of `older` into `newer`, and those that it compared or sent. */
export async function rsyncBytes(older: string, newer: string): Promise<{ wireBytes: number; readBytes: number }> {
  const target = `${older}.rsync`;
  await copyFile(older, target);
  try {
    const words = ['--no-whole-file', '--inplace', '--ignore-times', '--stats', newer, target];
    const { stdout } = await execute('rsync', words);
    const total = (what: string) => Number(new RegExp(`${what}: ([\\d,]+)`).exec(stdout)?.[1]?.replaceAll(',', ''));
    return {
      wireBytes: total('Total bytes sent') + total('Total bytes received'),
      readBytes: total('Literal data') + total('Matched data'),
    };
  } finally {
    await rm(target, { force: true });
  }
}
