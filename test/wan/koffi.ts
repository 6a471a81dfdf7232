import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

type Call = (...values: unknown[]) => unknown;

interface Koffi {
  load(library: string): { func(prototype: string): Call };
}

/** Where scripts/install-witnesses.sh puts it: only this suite calls the kernel by it. */
export const koffiFolder = resolve(import.meta.dirname, '../../.cache/witnesses/koffi');

export function loadKoffi(): Koffi {
  return createRequire(join(koffiFolder, 'package.json'))('koffi') as Koffi;
}
