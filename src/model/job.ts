import type { Difference } from './comparison.ts';
import type { FaultReport } from './fault.ts';

export type JobState =
  | 'queued'
  | 'running'
  | 'waiting'
  | 'pausing'
  | 'paused'
  | 'cancelling'
  | 'succeeded'
  | 'failed'
  | 'cancelled';

export interface DiskProgress {
  disk: string;
  label: string;
  capacityBytes: number;
  /** Logical bytes whose content is known at the destination node (data or zero). */
  arrivedBytes: number;
  /** Logical bytes handed to the destination cloud. */
  givenBytes: number;
}

export interface TransferProgress {
  disks: DiskProgress[];
  /** Logical bytes of all disks. */
  totalBytes: number;
  /** Mean of arrived and given: what a progress bar shows. */
  doneBytes: number;
  /** Logical bytes skipped because they are zero. */
  zeroBytes: number;
  /** Logical bytes skipped because the destination node already had them. */
  alreadyThereBytes: number;
  /** Bytes of blocks as they went over the wire between the nodes, repeated ones included. */
  wireBytes: number;
  /** Of these: bytes that were sent a second time. */
  resentBytes: number;
}

export interface JobStep {
  name: string;
  state: 'pending' | 'running' | 'done' | 'failed' | 'skipped';
  startedAt?: string;
  endedAt?: string;
  /** One line: what it does right now. */
  text?: string;
}

export interface JobResult {
  object: { cloud: string; id: string; kind: string; name: string; path: string };
  /** What left and what arrived, field by field, where they differ. */
  differences: Difference[];
  poweredOn: boolean;
}

export interface JobFailure extends FaultReport {
  /** What could not be undone, one sentence each. */
  leftovers: string[];
}
