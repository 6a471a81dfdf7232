import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createLog } from '../../src/base/log.ts';
import { readRoots } from '../../src/node/roots.ts';
import type { Installation } from '../journeys/installation.ts';
import type { LabName } from './points.ts';

interface Question {
  settings: unknown;
  password: string;
}
type Answer = { roots: string[] } | { failure: string };

/** A process of its own that reads disks out of the labs past all wires, and shares nothing with server and nodes. */
export interface Witness extends Disposable {
  rootsOf(site: Installation, name: LabName, object: string): Promise<string[]>;
}

export function callWitness(): Witness {
  const child = fork(import.meta.filename, ['--answer'], { stdio: 'inherit' });
  return {
    async rootsOf(site, name, object) {
      const lab = site.lab(name);
      const { password = '', ...options } = lab.options;
      const settings = { driver: lab.driver, options, fingerprint: lab.ready.fingerprint, object };
      child.send({ settings, password } satisfies Question);
      const [answer] = (await once(child, 'message')) as [Answer];
      if ('failure' in answer) throw new Error(`the witness could not read ${object} of ${name}: ${answer.failure}`);
      return answer.roots;
    },
    [Symbol.dispose]: () => child.kill(),
  };
}

if (process.argv.includes('--answer')) {
  process.on('message', async ({ settings, password }: Question) => {
    const answer: Answer = await readRoots(settings, password, createLog('witness', 'silent')).then(
      ({ disks }) => ({ roots: disks.map((disk) => disk.root) }),
      (error: Error) => ({ failure: error.message }),
    );
    process.send?.(answer);
  });
}
