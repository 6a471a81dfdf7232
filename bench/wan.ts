import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Line, openLine } from '../test/wan/line.ts';
import { makeDisk } from './material.ts';
import { type Cost, median, type Row } from './measure.ts';
import { transfer } from './ours/transfer.ts';
import { startPeers } from './peers.ts';

const MEGABITS = 200;
const ROUND_TRIPS = [0, 20, 100, 250];
const LOSSES = [0, 0.001, 0.01];
const CONGESTIONS = ['cubic', 'bbr'] as const;
const OURS = 'cloudspan';
/** A tool may take so many times what the line needs. */
const PATIENCE = 1.5;
const MiB = 1024 * 1024;
/** Of a full packet, what TCP carries of the tools' bytes: for runs that are ended before their time. */
const PAYLOAD = 1448 / 1500;

interface Cell {
  roundTripMilliseconds: number;
  loss: number;
  congestion: (typeof CONGESTIONS)[number];
}

/** Words like `--cells=100/0.1/cubic,…` (milliseconds, per cent), `--seconds=20` worth of data, `--rounds=1`. */
function option(name: string): string | undefined {
  return process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
}

const nameOf = ({ roundTripMilliseconds, loss, congestion }: Cell) =>
  `${roundTripMilliseconds}/${Number((loss * 100).toFixed(3))}/${congestion}`;

/**
 * Over an emulated line of 200 Mbit/s between two network namespaces, whose queue holds one bandwidth-delay product;
 * ours beside rclone and scp, in turn. A tool that has not come to its end after one and a half times what the line needs is
 * stopped, and what arrived counts.
 */
export async function benchWan(folder: string): Promise<Row[]> {
  const seconds = Number(option('seconds') ?? 20);
  const count = Number(option('rounds') ?? 1);
  const chosen = option('cells')?.split(',');
  const cells = CONGESTIONS.flatMap((congestion) =>
    ROUND_TRIPS.flatMap((roundTripMilliseconds) => LOSSES.map((loss) => ({ roundTripMilliseconds, loss, congestion }))),
  ).filter((cell) => chosen?.includes(nameOf(cell)) ?? true);
  const bytes = Math.round((seconds * MEGABITS * 1e6) / 8 / MiB) * MiB;
  const disk = join(folder, 'source.raw');
  await makeDisk(disk, bytes, 'dense');
  const ceiling = await ceilingOfTheLine();
  const rows: Row[] = [];
  for (const cell of cells) {
    const rates = await race(cell, { folder, disk, bytes, seconds, count });
    rows.push(...compare(cell, rates, ceiling));
    const told = [...rates].map(([name, all]) => `${name} ${median(all).toFixed(0)}`).join(', ');
    console.error(`${nameOf(cell)}: ${told} Mbit/s`);
  }
  return rows;
}

interface Race {
  folder: string;
  disk: string;
  bytes: number;
  seconds: number;
  count: number;
}

/** Mbit/s of every tool, round by round. */
async function race(cell: Cell, { folder, disk, bytes, seconds, count }: Race): Promise<Map<string, number[]>> {
  await using line = await openLine({ megabitsPerSecond: MEGABITS, seed: 1, ...cell });
  const { near, far } = line;
  await using peers = await startPeers(folder, disk, { host: near.address, server: near.prefix, client: far.prefix });
  const ends = { host: near.address, source: near.prefix, destination: far.prefix };
  const tools = [
    { name: OURS, copy: (signal: AbortSignal) => transfer(disk, folder, { ...ends, signal }) },
    ...peers.list
      .filter(({ name }) => name === 'rclone' || name === 'scp')
      .map(({ name, copy }) => ({ name, copy: (signal: AbortSignal) => copy(false, signal) })),
  ];
  const rates = new Map<string, number[]>(tools.map(({ name }) => [name, []]));
  for (let round = 0; round < count; round++) {
    for (const [index] of tools.entries()) {
      const tool = tools[(index + round) % tools.length]!;
      rates.get(tool.name)?.push(await rateOf(line, tool.copy, bytes, seconds * PATIENCE));
    }
  }
  return rates;
}

async function rateOf(
  line: Line,
  copy: (signal: AbortSignal) => Promise<Cost>,
  bytes: number,
  mostSeconds: number,
): Promise<number> {
  const before = line.arrivedBytes();
  const begin = performance.now();
  const stop = new AbortController();
  let arrived = 0;
  const timer = setTimeout(() => {
    arrived = (line.arrivedBytes() - before) * PAYLOAD;
    stop.abort();
  }, mostSeconds * 1000);
  try {
    const cost = await copy(stop.signal);
    return (bytes * 8) / 1e6 / cost.seconds;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    return (arrived * 8000) / 1e6 / (performance.now() - begin);
  } finally {
    clearTimeout(timer);
  }
}

function compare(cell: Cell, rates: Map<string, number[]>, ceiling: number): Row[] {
  const ours = rates.get(OURS) ?? [];
  const { roundTripMilliseconds, loss, congestion } = cell;
  const row = {
    case: `${roundTripMilliseconds} ms, ${Number((loss * 100).toFixed(3))} % loss, ${congestion}`,
    unit: 'Mbit/s',
    ours: median(ours),
  };
  const link = {
    ...row,
    peer: MEGABITS,
    peerName: `the line (its emulator carries ${ceiling.toFixed(0)})`,
    ratio: median(ours) / MEGABITS,
    aim: roundTripMilliseconds !== 100 ? null : loss === 0 ? 0.9 : loss === 0.001 ? 0.8 : null,
  };
  const peers = [...rates].filter(([name]) => name !== OURS);
  return [
    link,
    ...peers.map(([peerName, theirs]) => ({
      ...row,
      peer: median(theirs),
      peerName,
      ratio: median(ours.map((rate, round) => rate / (theirs[round] ?? rate))),
      aim: 1,
    })),
  ];
}

/** Mbit/s that the emulated line carries when nothing is asked of it but to carry. */
async function ceilingOfTheLine(): Promise<number> {
  const megabitsPerSecond = Number.POSITIVE_INFINITY;
  await using line = await openLine({ megabitsPerSecond, roundTripMilliseconds: 0, loss: 0, seed: 1 });
  const [command = '', ...words] = [...line.far.prefix, 'iperf3', '--server', '--one-off', '--forceflush'];
  const server = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  const [, ...client] = line.near.prefix;
  const text = execFileSync('ip', [...client, 'iperf3', '--client', line.far.address, '--time', '3', '--json'], {
    encoding: 'utf8',
  });
  const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second / 1e6;
}
