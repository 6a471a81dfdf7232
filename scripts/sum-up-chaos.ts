/** Sums up the journal of seeded chaos runs (`CLOUDSPAN_JOURNAL`): node scripts/sum-up-chaos.ts FILE */
import { readFileSync } from 'node:fs';

interface Run {
  seed: number;
  run: number;
  way: string;
  relayed?: boolean;
  ills: { kind: string; met: boolean }[];
  resentBytes?: number;
  seconds: number;
  ok: boolean;
  failure?: string;
}

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: node scripts/sum-up-chaos.ts FILE');
const runs = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line) as Run);
const kinds = new Map<string, { planned: number; met: number }>();
for (const { kind, met } of runs.flatMap(({ ills }) => ills)) {
  const sum = kinds.get(kind) ?? { planned: 0, met: 0 };
  kinds.set(kind, { planned: sum.planned + 1, met: sum.met + (met ? 1 : 0) });
}
const seconds = runs.map((run) => run.seconds).sort((one, other) => one - other);
const failed = runs.filter(({ ok }) => !ok);
console.table(Object.fromEntries(kinds));
console.table({
  runs: runs.length,
  'over the relay': runs.filter(({ relayed }) => relayed === true).length,
  ills: [...kinds.values()].reduce((sum, { met }) => sum + met, 0),
  failed: failed.length,
  'median seconds': seconds[Math.floor(seconds.length / 2)] ?? 0,
  'most bytes sent again': Math.max(0, ...runs.map(({ resentBytes = 0 }) => resentBytes)),
});
for (const { seed, run, failure } of failed) console.log(`CLOUDSPAN_SEED=${seed} CLOUDSPAN_PLAN=${run}: ${failure}`);
