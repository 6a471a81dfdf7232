/** `npm run bench -- NAME [--json]`: ours and the peers alternating in one run. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchDelta } from './delta.ts';
import { benchEncryption } from './encryption.ts';
import { benchEndToEnd } from './end-to-end.ts';
import { benchManyJobs } from './many-jobs.ts';
import type { Row } from './measure.ts';
import { benchMemory } from './memory.ts';
import { benchSearch } from './search.ts';
import { benchTransfer } from './transfer.ts';
import { benchVmdk } from './vmdk.ts';
import { benchWan } from './wan.ts';

const benches: Record<string, (folder: string) => Promise<Row[]>> = {
  transfer: benchTransfer,
  encryption: benchEncryption,
  'end-to-end': benchEndToEnd,
  vmdk: benchVmdk,
  wan: benchWan,
  delta: benchDelta,
  memory: benchMemory,
  search: benchSearch,
  'many-jobs': benchManyJobs,
};

const words = process.argv.slice(2);
const names = words.filter((word) => !word.startsWith('--'));
const json = words.includes('--json');
const unknown = names.find((name) => !(name in benches));
if (unknown !== undefined) {
  console.error(`there is no bench "${unknown}"; there are: ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
for (const name of names.length > 0 ? names : Object.keys(benches)) {
  const folder = await mkdtemp(join(tmpdir(), 'cloudspan-bench-'));
  try {
    const rows = (await benches[name]?.(folder)) ?? [];
    if (json) console.log(JSON.stringify({ bench: name, rows }));
    else print(name, rows);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
process.exit(0);

function print(name: string, rows: Row[]): void {
  const figure = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
  console.log(`\n${name}`);
  console.table(
    rows.map((row) => ({
      case: row.case,
      unit: row.unit,
      ours: figure(row.ours),
      peer: figure(row.peer),
      'peer is': row.peerName,
      'ratio (larger is better)': row.ratio.toFixed(2),
      aim: row.aim ?? '',
    })),
  );
}
