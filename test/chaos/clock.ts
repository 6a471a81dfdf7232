import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PartName } from '../journeys/installation.ts';

const PLACES = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map((one) => `/usr/lib/${one}/faketime/libfaketimeMT.so.1`);

/** Of Debian's package `faketime`: shifts the wall clock of one process, and leaves the monotonic one alone. */
export const fakeTime = PLACES.find((path) => existsSync(path));

const fileOf = (folder: string, part: PartName) => join(folder, `${part}.clock`);

/** Environment under which the process has the clock that `setClock` gives it. */
export function clockEnvironment(folder: string, part: PartName): Record<string, string> {
  if (fakeTime === undefined) return {};
  return {
    LD_PRELOAD: fakeTime,
    FAKETIME_TIMESTAMP_FILE: fileOf(folder, part),
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

/** The clock of a part is wrong by so many hours from now on (within a second). */
export async function setClock(folder: string, part: PartName, hours: number): Promise<void> {
  const file = fileOf(folder, part);
  await writeFile(`${file}.new`, `${hours < 0 ? '-' : '+'}${Math.abs(hours)}h\n`);
  await rename(`${file}.new`, file);
}
