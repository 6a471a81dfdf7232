import type { DiskFiles } from './disk-files.ts';
import type { Session, User } from './entities.ts';
import type { Faults } from './faults.ts';
import type { Store } from './store.ts';
import type { Tasks } from './tasks.ts';

/** What every room of the simulator works with. */
export interface Simulator {
  readonly store: Store;
  readonly disks: DiskFiles;
  readonly faults: Faults;
  readonly tasks: Tasks;
  /** Folder with one folder per transfer. */
  readonly transferFolder: string;
  /** Aborted when the simulator closes. */
  readonly closing: AbortSignal;
  readonly sessionIdleSeconds: number;
  readonly transferIdleSeconds: number;
  /** By how much the clock of the cloud is ahead. */
  readonly clockOffsetSeconds: number;
  /** Key of the admin calls under `/lab`. */
  readonly labKey: string;
  /** Ends the process at once, as a crash would. */
  die(): void;
}

export interface Caller {
  readonly session: Session;
  readonly user: User;
  /** True for a user of the System organization, who sees everything. */
  readonly system: boolean;
}
