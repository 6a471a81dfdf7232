import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { missing } from '../interop/witnesses.ts';
import { draws } from './direction.ts';
import { type Line, openLine, type Side } from './line.ts';
import { ip } from './namespaces.ts';

const skip = missing('the emulated line', ['root', 'tun', 'koffi', 'ip', 'ping', 'iperf3']);

async function say(side: Side, ...words: string[]): Promise<string> {
  const [command = '', ...rest] = [...side.prefix, ...words];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  await once(child, 'close');
  return text;
}

/** What iperf3 measured between the two sides. */
async function iperf(line: Line, ...words: string[]) {
  const [command = '', ...rest] = [...line.far.prefix, 'iperf3', '--server', '--one-off', '--forceflush'];
  const server = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  // It may end before its client does.
  const closed = once(server, 'close');
  try {
    await once(server.stdout, 'data');
    const text = await say(line.near, 'iperf3', '--client', line.far.address, '--json', ...words);
    const { end } = JSON.parse(text) as {
      end: { sum_received?: { bits_per_second: number }; sum?: { lost_percent: number; packets: number } };
    };
    await closed;
    return { megabits: (end.sum_received?.bits_per_second ?? 0) / 1e6, sum: end.sum };
  } finally {
    server.kill();
  }
}

describe.skipIf(skip)('the emulated line', () => {
  it('takes away what a killed run has left, and its own', async () => {
    const { pid } = spawnSync('true');
    const left = `cloudspan-wan-${pid}-0a`;
    ip('netns', 'add', left);
    const line = await openLine({ megabitsPerSecond: 200, roundTripMilliseconds: 0, loss: 0, seed: 0 });
    expect(ip('netns', 'list')).not.toContain(left);
    expect(ip('netns', 'list')).toContain(line.near.namespace);
    await line.end();
    expect(ip('netns', 'list')).not.toContain(line.near.namespace);
  });

  it('delays what ping sends by the round trip', async () => {
    for (const roundTripMilliseconds of [20, 100, 250]) {
      await using line = await openLine({ megabitsPerSecond: 200, roundTripMilliseconds, loss: 0, seed: 1 });
      const said = await say(line.near, 'ping', '-q', '-c', '12', '-i', '0.05', line.far.address);
      const least = Number(/= ([\d.]+)\//.exec(said)?.[1]);
      expect(least).toBeGreaterThanOrEqual(roundTripMilliseconds);
      expect(least).toBeLessThan(roundTripMilliseconds + 8);
    }
  });

  it('loses the packets that the seed says, and no others', async () => {
    const [count, loss, seed] = [1500, 0.05, 42];
    await using line = await openLine({ megabitsPerSecond: 200, roundTripMilliseconds: 0, loss, seed });
    const said = await say(line.near, 'ping', '-q', '-c', String(count), '-i', '0.001', '-W', '1', line.far.address);
    const [there, back] = [draws(seed), draws(seed + 1)];
    const arrived = Array.from({ length: count }, () => there() >= loss).filter(Boolean);
    const answered = arrived.filter(() => back() >= loss).length;
    expect(answered).toBeLessThan(count * 0.95);
    expect(said).toContain(`${count} packets transmitted, ${answered} received`);
  });

  it('lets iperf3 through at its rate, and at several times that without one', async () => {
    await using line = await openLine({ megabitsPerSecond: 200, roundTripMilliseconds: 20, loss: 0, seed: 3 });
    const { megabits } = await iperf(line, '--time', '6', '--omit', '1', '--parallel', '4');
    expect(megabits).toBeLessThan(200);
    expect(megabits).toBeGreaterThan(150);
    await using bare = await openLine({
      megabitsPerSecond: Number.POSITIVE_INFINITY,
      roundTripMilliseconds: 0,
      loss: 0,
      seed: 3,
    });
    const ceiling = await iperf(bare, '--time', '3');
    console.log(
      `the emulated line: ${megabits.toFixed(0)} of 200 Mbit/s; its ceiling ${ceiling.megabits.toFixed(0)} Mbit/s`,
    );
    expect(ceiling.megabits).toBeGreaterThan(400);
  });

  it('loses as many datagrams of iperf3 as it was told', async () => {
    const megabitsPerSecond = Number.POSITIVE_INFINITY;
    await using line = await openLine({ megabitsPerSecond, roundTripMilliseconds: 20, loss: 0.01, seed: 4 });
    const { sum } = await iperf(line, '--udp', '--bitrate', '50M', '--time', '5');
    expect(sum?.packets).toBeGreaterThan(15_000);
    expect(sum?.lost_percent).toBeGreaterThan(0.7);
    expect(sum?.lost_percent).toBeLessThan(1.3);
  });
});
