import type { ObjectKind } from './inventory.ts';

/**
 * One object that a job makes in a cloud, or one setting that it changes there. The row is durable with `state: intent`
 * before the call, with `made` and the cloud's id after it. The object carries the marker where its kind can, so that
 * after a crash it is found and adopted or removed, never made twice.
 */
export interface LedgerEntry {
  id: string;
  job: string;
  owner: string;
  /** The cloud's row at the server: its id in a node's journal, its name in the answers of the API. */
  cloud: string;
  action: 'create' | 'change';
  kind: ObjectKind | 'upload' | 'lease' | 'download' | 'snapshot';
  /** What it is for, in a word the driver chooses: `machine`, `temporary template`. Unique per work. */
  role: string;
  name: string;
  /** Unguessable; in the object's name while unfinished, its annotation or its metadata. */
  marker: string;
  objectId?: string;
  /** Of `change`: the value before. Of a file that was made: what it is known by, once it is whole. */
  before?: string;
  /** Of `change`: the value that the job set. What reads otherwise was changed by somebody since. */
  after?: string;
  /**
   * `intent` before the call; `made` after it; `kept` once it is the result that the user asked for; `removed` after
   * undo or clean-up; `absent` when after a crash nothing with the marker was found.
   */
  state: 'intent' | 'made' | 'kept' | 'removed' | 'absent';
  at: string;
}
