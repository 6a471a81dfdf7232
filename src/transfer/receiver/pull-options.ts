import type { Duplex } from 'node:stream';
import type { Log } from '../../base/log.ts';
import type { Fault } from '../../model/fault.ts';
import type { PackageDescription } from '../../model/machine.ts';
import type { Inlet } from '../pace/pace.ts';
import type { BlockStore } from '../store/store.ts';
import type { Recall } from './earlier.ts';
import type { Journal } from './journal.ts';

export interface PullOptions {
  transfer: string;
  owner: string;
  store: BlockStore;
  journal: Journal;
  /**
   * A fresh, authenticated connection on whose other end `serveOffer(…).accept` got the socket. Called again after each
   * break, with waits in between. A Fault with retry `never` ends the pull when no other connection is left.
   */
  take: (signal: AbortSignal) => Promise<Duplex>;
  /** Connections at the same time. Default: 4 to 64, as many as the way to the source is worth. */
  connections?: number;
  /** What it is let have of the way that it shares with others. Default: all. */
  inlet?: Inlet;
  /** Maps of an earlier version of these disks: of what is held of it, only the pages that differ are asked for. */
  recall?: (description: PackageDescription) => ReturnType<Recall>;
  /** Ends the pull; what arrived stays in the store and the journal. */
  signal: AbortSignal;
  log?: Log;
  /** Silence after which a connection is given up; the same at the source. Default 30. */
  stallSeconds?: number;
  /** Told the fault while the disk of store or journal is full, and null when it goes on. */
  trouble?: (fault: Fault | null) => void;
  /** Asked when the store is full; says whether it freed anything. */
  makeRoom?: () => Promise<boolean>;
  /** The schema for what the source says the package is; throws a Fault. Disks are checked in any case. */
  parseDescription?: (value: unknown) => PackageDescription;
}

export interface PullProgress {
  /** By disk id: logical bytes whose content is known and durable here (data or zero), or went past a full store. */
  arrivedBytes: Record<string, number>;
  /** Logical bytes known to be zero. */
  zeroBytes: number;
  /** Logical bytes that this owner had here already. */
  alreadyThereBytes: number;
  /** Bytes of blocks as they came over the wire, repeated ones included; counted over restarts. */
  wireBytes: number;
  /** Of these: bytes of blocks that had been sent before. */
  resentBytes: number;
  /** Connections to the source that are alive. */
  connections: number;
}
