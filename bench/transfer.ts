import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDisk, warmUp } from './material.ts';
import { type Cost, median, type Row, run } from './measure.ts';
import { bareTls } from './ours/tls.ts';
import { transfer } from './ours/transfer.ts';
import { type Peer, startPeers } from './peers.ts';

const GiB = 1024 ** 3;
const ROUNDS = 3;
const OURS = 'cloudspan';
const TLS = 'bare TLS from Node to Node';

/** Node to node on loopback, beside the peers, alternating; every disk once raw (peers as they are) and once proven. */
export async function benchTransfer(folder: string): Promise<Row[]> {
  const disk = join(folder, 'source.raw');
  await warmUp(disk);
  const rows: Row[] = [];
  for (const kind of ['dense', 'half'] as const) {
    await rm(disk, { force: true });
    await makeDisk(disk, 2 * GiB, kind);
    await using peers = await startPeers(folder, disk);
    for (const mode of ['raw', 'proven'] as const) {
      const bare = { name: TLS, copy: () => bareTls(2 * GiB, folder) };
      const list = kind === 'dense' && mode === 'raw' ? [...peers.list, bare] : peers.list;
      const costs = await rounds(list, mode === 'proven', () => transfer(disk, folder));
      const name = `${kind === 'dense' ? '2 GiB incompressible' : '2 GiB half zero'}, ${mode}`;
      rows.push(...compare(name, costs, (peer) => (peer === TLS ? 0.6 : aimOf(kind, mode))));
    }
  }
  return rows;
}

function aimOf(kind: 'dense' | 'half', mode: 'raw' | 'proven'): number {
  if (kind === 'half') return 2.5;
  return mode === 'raw' ? 0.8 : 1.25;
}

async function rounds(peers: Peer[], proven: boolean, ours: () => Promise<Cost>): Promise<Map<string, Cost[]>> {
  const tools = [{ name: OURS, copy: ours }, ...peers];
  const costs = new Map<string, Cost[]>(tools.map((tool) => [tool.name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index] of tools.entries()) {
      const tool = tools[(index + round) % tools.length]!;
      // What the one before has left to the kernel to write is not for this one to wait for.
      await run('sync', []);
      costs.get(tool.name)?.push(await tool.copy(proven));
    }
  }
  return costs;
}

function compare(name: string, costs: Map<string, Cost[]>, aim: (peer: string) => number): Row[] {
  const ours = costs.get(OURS) ?? [];
  const rate = (cost: Cost) => (2 * GiB) / 1e6 / cost.seconds;
  const oursCpu = median(ours.map((cost) => cost.cpuSeconds / ((2 * GiB) / 1e9)));
  const oursPeak = median(ours.map((cost) => cost.peakBytes / 1e6));
  const rows: Row[] = [];
  for (const [peerName, theirs] of costs) {
    if (peerName === OURS) continue;
    const peerCpu = median(theirs.map((cost) => cost.cpuSeconds / ((2 * GiB) / 1e9)));
    const peerPeak = median(theirs.map((cost) => cost.peakBytes / 1e6));
    const ratio = median(ours.map((cost, index) => rate(cost) / rate(theirs[index] ?? cost)));
    rows.push({
      case: name,
      unit: 'MB/s',
      ours: median(ours.map(rate)),
      peer: median(theirs.map(rate)),
      peerName,
      ratio,
      aim: aim(peerName),
    });
    rows.push({
      case: name,
      unit: 'CPU s/GB',
      ours: oursCpu,
      peer: peerCpu,
      peerName,
      ratio: peerCpu / oursCpu,
      aim: null,
    });
    rows.push({
      case: name,
      unit: 'peak MB',
      ours: oursPeak,
      peer: peerPeak,
      peerName,
      ratio: peerPeak / oursPeak,
      aim: null,
    });
  }
  return rows;
}
