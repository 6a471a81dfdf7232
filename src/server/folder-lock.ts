import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../base/files.ts';
import { Fault } from '../model/fault.ts';

/**
 * Holds `folder` for this process; answers how to let it go. The lock of a process that is gone is void. Fault
 * `server.unavailable` while another server uses the folder.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'server.pid');
  const [pid, begun] = (await readFile(path, 'utf8').catch(() => '')).trim().split(' ');
  if (pid !== undefined && pid !== '' && Number(pid) !== process.pid && begun === (await startOf(Number(pid)))) {
    throw new Fault('server.unavailable', `the server with process id ${pid} uses ${folder}`, {
      remedy: 'End it first, or choose another folder.',
    });
  }
  await writeDurably(path, `${process.pid} ${(await startOf(process.pid)) ?? ''}\n`);
  return () => rm(path, { force: true });
}

/** Something that tells a process from a later one with the same id; undefined when there is none with this id. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z') return undefined;
  return fields[18] ?? 'alive';
}
