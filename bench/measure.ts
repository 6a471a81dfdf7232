import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What one run of one tool cost. */
export interface Cost {
  seconds: number;
  /** User and system, of both ends. */
  cpuSeconds: number;
  /** Of the larger end. */
  peakBytes: number;
}

export interface Row {
  case: string;
  unit: string;
  ours: number;
  peer: number;
  peerName: string;
  /** Larger is better. */
  ratio: number;
  aim: number | null;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

const TICKS_PER_SECOND = 100;

/** CPU seconds of a process and of its children that ended. */
export function cpuOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0) / TICKS_PER_SECOND;
}

/** Largest resident memory that a process has had so far. */
export function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** Runs a command to its end, or the signal's, under GNU time. Rejects with what it said when it fails. */
export async function run(command: string, words: string[], signal?: AbortSignal): Promise<Omit<Cost, 'seconds'>> {
  signal?.throwIfAborted();
  const child = spawn('/usr/bin/time', ['-q', '-f', '@@ %U %S %M', command, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // A group of its own, so that the command ends together with its clock.
    detached: true,
  });
  const stop = () => process.kill(-(child.pid ?? 0), 'SIGKILL');
  signal?.addEventListener('abort', stop);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit) => resolve(exit ?? 1));
  }).finally(() => signal?.removeEventListener('abort', stop));
  const match = /@@ ([\d.]+) ([\d.]+) (\d+)/.exec(said);
  if (code !== 0 || match === null) throw new Error(`${command} ended with ${code}: ${said.slice(-800)}`);
  return { cpuSeconds: Number(match[1]) + Number(match[2]), peakBytes: Number(match[3]) * 1024 };
}
