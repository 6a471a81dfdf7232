import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FrailSite } from './frail-site.ts';
import type { Ill, Moment, NodeName, Victim } from './ills.ts';
import { hasArrived } from './strike.ts';

const LOOK_MILLISECONDS = 60;
const SETTLE_MILLISECONDS = 100;

/**
 * Waits for the moment of the ill, inflicts it, and heals it in its time. False when `over` came before it could be
 * inflicted. `revived` is told each lab that forgot its rules.
 */
export async function inflict(
  site: FrailSite,
  job: string,
  ill: Ill,
  over: AbortSignal,
  revived: (victim: Victim) => Promise<void>,
): Promise<boolean> {
  if (!(await come(site, job, ill.at, over))) return false;
  const { installation } = site;
  switch (ill.kind) {
    case 'kill':
      await kill(site, ill.victim, ill.awayMilliseconds);
      await revived(ill.victim);
      return true;
    case 'freeze':
      await freeze(site, ill.victim, ill.milliseconds);
      return true;
    case 'cut':
    case 'half-open': {
      const wire = site.wire(ill.way);
      const met = wire.connections > 0;
      if (ill.kind === 'cut') wire.cut();
      else wire.hang();
      await sleep(ill.milliseconds);
      wire.heal();
      return met;
    }
    case 'flip on the wire':
      return Promise.race([
        site
          .wire(ill.way)
          .flip(ill.direction, ill.afterBytes)
          .then(() => true),
        aborted(over),
      ]);
    case 'flip in the store': {
      await installation.kill(ill.node);
      const flipped = await flipStored(join(installation.folder, ill.node, 'blocks'), ill.place);
      await installation.revive(ill.node);
      return flipped;
    }
    case 'full disk': {
      const disk = site.disks.get(ill.node);
      if (disk === undefined) return false;
      await disk.fill();
      await sleep(ill.milliseconds);
      await disk.free();
      return true;
    }
    case 'clock':
      await site.clock(ill.part, ill.hours);
      await sleep(ill.milliseconds);
      await site.clock(ill.part, 0);
      return true;
    case 'other port':
      await installation.kill(ill.node);
      // The way by the address that everybody knows leads nowhere from now on.
      site.wire('peer').cut();
      await sleep(ill.awayMilliseconds);
      await installation.revive(ill.node, () => '0');
      return true;
  }
}

async function kill(site: FrailSite, victim: Victim, awayMilliseconds: number): Promise<void> {
  if (victim === 'postgres') {
    const [postmaster = 0] = await site.pids(victim);
    process.kill(postmaster, 'SIGKILL');
    return;
  }
  await site.installation.kill(victim);
  await sleep(awayMilliseconds);
  await site.installation.revive(victim);
}

async function freeze(site: FrailSite, victim: Victim, milliseconds: number): Promise<void> {
  const pids = await site.pids(victim);
  const tell = (signal: NodeJS.Signals) => {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  };
  tell('SIGSTOP');
  await sleep(milliseconds);
  tell('SIGCONT');
}

async function come(site: FrailSite, job: string, at: Moment, over: AbortSignal): Promise<boolean> {
  if ('afterMilliseconds' in at) {
    await Promise.race([sleep(at.afterMilliseconds), aborted(over)]);
    return !over.aborted;
  }
  while (!over.aborted) {
    if (await hasArrived(site.installation, job, at.arrived).catch(() => false)) return true;
    await sleep(LOOK_MILLISECONDS);
  }
  return false;
}

/** Inverts a bit somewhere in the largest file of a store. False when it holds nothing. */
async function flipStored(folder: string, place: number): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  let largest: { path: string; size: number } | null = null;
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > (largest?.size ?? 0)) largest = { path, size };
  }
  if (largest === null) return false;
  await using file = await open(largest.path, 'r+');
  const byte = Buffer.alloc(1);
  const position = Math.floor(largest.size * place);
  await file.read(byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ 0x04;
  await file.write(byte, 0, 1, position);
  return true;
}

/** What has a time of its own ends here, whatever happened. */
export async function healAll(site: FrailSite): Promise<void> {
  for (const wire of site.wires.values()) wire.heal();
  for (const disk of site.disks.values()) await disk.free();
  for (const part of ['server', 'source', 'destination'] as const satisfies readonly (NodeName | 'server')[]) {
    await site.clock(part, 0);
  }
  await sleep(SETTLE_MILLISECONDS);
}

function aborted(signal: AbortSignal): Promise<false> {
  return new Promise((done) => {
    if (signal.aborted) done(false);
    else signal.addEventListener('abort', () => done(false), { once: true });
  });
}
