import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { directorWorld, vcenterWorld } from '../src/cli/demo/worlds.ts';
import { Installation, type PartName } from '../test/journeys/installation.ts';
import { makeDisk } from './material.ts';
import { cpuOf, median, type Row } from './measure.ts';
import { startPeers } from './peers.ts';

const MiB = 1024 * 1024;
const DISK_BYTES = 1024 * MiB;
const DATA_BYTES = DISK_BYTES / 2;
const ROUNDS = 3;
const CORES = 2;
/** Bytes per second of the hops: out of the source, between the nodes, into the destination. */
const LIMITS = { export: 60e6, wire: 50e6, import: 40e6 };
const HOPS: Record<string, PartName[]> = {
  'source cloud': ['vcenter'],
  'source node': ['source'],
  'destination node': ['destination'],
  'destination cloud': ['director'],
  server: ['server'],
};

interface Run {
  seconds: number;
  /** By hop. */
  cpuSeconds: Record<string, number>;
}

/**
 * A disk of 1 GiB, half zero and half incompressible, from the vSphere lab to the Cloud Director lab through the whole
 * product: once with every hop limited, once with none, and then beside tools that only copy the raw file.
 */
export async function benchEndToEnd(folder: string): Promise<Row[]> {
  // Each copy has a machine of its own: what has been copied once is in the cache of the destination's node.
  const disks = Array.from({ length: 2 * ROUNDS }, (_, number) => join(folder, `source-${number}.raw`));
  for (const disk of disks) await makeDisk(disk, DISK_BYTES, 'half');
  const vms = disks.map((file, number) => ({
    name: `bench-${number}`,
    disks: [{ size: DISK_BYTES, content: { file } }],
    nics: [],
  }));
  const world = { datacenters: [{ ...vcenterWorld.datacenters[0], vms, vApps: [] }] };
  await using site = await Installation.start({ vcenterWorld: world, directorWorld });
  const limited: Run[] = [];
  await limit(site, LIMITS);
  for (let round = 0; round < ROUNDS; round++) limited.push(await copy(site, `bench-${round}`));
  await limit(site, null);
  const free: Run[] = [];
  await using peers = await startPeers(folder, disks[0]!);
  const theirs = new Map<string, number[]>(peers.list.map((peer) => [peer.name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    free.push(await copy(site, `bench-${ROUNDS + round}`));
    for (const peer of peers.list) theirs.get(peer.name)?.push((await peer.copy(true)).seconds);
  }
  return [...limitedRows(limited), ...freeRows(free), ...peerRows(free, theirs)];
}

function limitedRows(runs: Run[]): Row[] {
  const slowest = DATA_BYTES / Math.min(...Object.values(LIMITS));
  const seconds = median(runs.map((run) => run.seconds));
  return [
    {
      case: 'hops limited to 60, 50 and 40 MB/s',
      unit: 's',
      ours: seconds,
      peer: slowest,
      peerName: 'the slowest hop alone',
      ratio: slowest / seconds,
      aim: slowest / (slowest * 1.15 + 3),
    },
  ];
}

function freeRows(runs: Run[]): Row[] {
  const total = (run: Run) => Object.values(run.cpuSeconds).reduce((sum, value) => sum + value, 0);
  const seconds = median(runs.map((run) => run.seconds));
  const busy = median(runs.map(total)) / CORES;
  const rows: Row[] = [
    {
      case: 'no hop limited',
      unit: 's',
      ours: seconds,
      peer: busy,
      peerName: 'all CPU seconds by cores',
      ratio: busy / seconds,
      aim: 1 / 1.25,
    },
  ];
  for (const hop of Object.keys(HOPS)) {
    const cpu = median(runs.map((run) => run.cpuSeconds[hop] ?? 0));
    rows.push({
      case: `no hop limited: ${hop}`,
      unit: 'CPU s',
      ours: cpu,
      peer: median(runs.map(total)),
      peerName: 'all hops',
      ratio: median(runs.map(total)) / cpu,
      aim: null,
    });
  }
  return rows;
}

function peerRows(runs: Run[], theirs: ReadonlyMap<string, number[]>): Row[] {
  const rate = (seconds: number) => DISK_BYTES / 1e6 / seconds;
  return [...theirs].map(([peerName, seconds]) => ({
    case: 'no hop limited, beside a proven copy of the raw file',
    unit: 'MB/s',
    ours: median(runs.map((run) => rate(run.seconds))),
    peer: median(seconds.map(rate)),
    peerName,
    ratio: median(runs.map((run, index) => rate(run.seconds) / rate(seconds[index] ?? run.seconds))),
    aim: null,
  }));
}

async function limit(site: Installation, limits: typeof LIMITS | null): Promise<void> {
  const bytesPerSecond = limits === null ? {} : { host: limits.export };
  await site.labCall('vcenter', 'POST', '/faults', { bytesPerSecond });
  const slow = (rate: number) => ({
    on: 'call',
    path: '/transfer/*',
    times: 0,
    action: { kind: 'slow', bytesPerSecond: rate },
  });
  await site.labCall('director', 'POST', '/faults', { rules: limits === null ? [] : [slow(limits.import)] });
  const rate = limits === null ? null : { bitsPerSecond: limits.wire * 8, windows: [] };
  await site.client.setLimit({ node: 'source', body: { limit: rate } });
}

async function copy(site: Installation, name: string): Promise<Run> {
  const before = cpuByHop(site);
  const start = performance.now();
  const job = await site.copy({ source: `vc/Berlin/vm/${name}`, destination: 'vcd/vdc-frankfurt' });
  for (;;) {
    const view = await site.client.getJob({ job: job.id });
    if (view.state === 'failed') throw new Error(view.failure?.message);
    if (view.state === 'succeeded') break;
    await sleep(100);
  }
  const seconds = (performance.now() - start) / 1000;
  const after = cpuByHop(site);
  const cpuSeconds = Object.fromEntries(Object.keys(HOPS).map((hop) => [hop, (after[hop] ?? 0) - (before[hop] ?? 0)]));
  return { seconds, cpuSeconds };
}

function cpuByHop(site: Installation): Record<string, number> {
  const sum = (parts: PartName[]) => parts.reduce((total, part) => total + cpuOf(site.pid(part)), 0);
  return Object.fromEntries(Object.entries(HOPS).map(([hop, parts]) => [hop, sum(parts)]));
}
