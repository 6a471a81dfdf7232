import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Installation, type PartName, type WayName } from '../journeys/installation.ts';
import { clockEnvironment, setClock } from './clock.ts';
import { STALL_SECONDS } from './course.ts';
import { canMount, mountSmallDisk, type SmallDisk } from './disk.ts';
import type { NodeName, Victim } from './ills.ts';
import { Wire } from './wire.ts';

const MiB = 1024 * 1024;
const DISK_BYTES = 224 * MiB;
export const STORAGE_LIMIT_BYTES = 160 * MiB;
const NODES = ['source', 'destination'] as const;
const CLOCKED = ['server', ...NODES] as const;

/** An installation of which everything can be broken: each way goes through a wire, nodes live on small disks. */
export class FrailSite implements AsyncDisposable {
  readonly installation: Installation;
  readonly wires: ReadonlyMap<WayName, Wire>;
  readonly disks: ReadonlyMap<NodeName, SmallDisk>;

  private constructor(installation: Installation, wires: Map<WayName, Wire>, disks: Map<NodeName, SmallDisk>) {
    this.installation = installation;
    this.wires = wires;
    this.disks = disks;
  }

  static async start(worlds: { vcenterWorld: unknown; directorWorld: unknown }, relayed: boolean): Promise<FrailSite> {
    const wires = new Map<WayName, Wire>();
    const disks = new Map<NodeName, SmallDisk>();
    try {
      const installation = await Installation.start({
        ...worlds,
        publicDestination: !relayed,
        storageLimit: STORAGE_LIMIT_BYTES / 1024 ** 3,
        async prepare(folder) {
          for (const name of CLOCKED) await setClock(folder, name, 0);
          for (const name of canMount ? NODES : [])
            disks.set(name, await mountSmallDisk(join(folder, name), DISK_BYTES));
          return async () => {
            for (const disk of disks.values()) await disk.remove();
          };
        },
        extra(name, folder) {
          if (name === 'vcenter' || name === 'director') return {};
          return {
            words: ['--exit-with-stdin', '--stall-seconds', String(STALL_SECONDS)],
            environment: clockEnvironment(folder, name),
          };
        },
        async through(way, target) {
          const wire = await Wire.open(target);
          wires.set(way, wire);
          return wire.address;
        },
      });
      return new FrailSite(installation, wires, disks);
    } catch (error) {
      for (const wire of wires.values()) await wire[Symbol.asyncDispose]();
      throw error;
    }
  }

  wire(way: WayName): Wire {
    const wire = this.wires.get(way);
    if (wire === undefined) throw new Error(`there is no wire ${way}`);
    return wire;
  }

  clock(part: PartName, hours: number): Promise<void> {
    return setClock(this.installation.folder, part, hours);
  }

  /** The processes of a victim: PostgreSQL has many. */
  async pids(victim: Victim): Promise<number[]> {
    if (victim !== 'postgres') return [this.installation.pid(victim)].filter((pid) => pid > 0);
    const file = join(this.installation.folder, 'server/postgres/postmaster.pid');
    const postmaster = Number((await readFile(file, 'utf8')).split('\n')[0]);
    const children = await readFile(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
    return [postmaster, ...children.trim().split(/\s+/).filter(Boolean).map(Number)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.installation[Symbol.asyncDispose]();
    for (const wire of this.wires.values()) await wire[Symbol.asyncDispose]();
  }
}
