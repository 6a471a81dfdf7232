import type { ObjectKind, PowerState } from './inventory.ts';
import type { PackageDescription } from './machine.ts';

/** An object that carries the marker of a job, as a cloud lists it. */
export interface MarkedObject {
  id: string;
  kind: ObjectKind;
  name: string;
  marker: string;
  /** It has its final name: the marker stands in annotation, metadata or file only. */
  finished: boolean;
  power: PowerState;
  /** When it was made, ISO 8601, where the cloud tells. */
  madeAt?: string;
}

/** One object, read fresh, with what tells whether it is still as a job left it. */
export interface SeenObject extends Omit<MarkedObject, 'marker'> {
  /** Null: it carries none. */
  marker: string | null;
  /** It runs, or the cloud shows that it has run. False where nothing shows that. */
  ran: boolean;
  /** The vendor's change identity of `OpenExport.version`: another one after any change of content or configuration. */
  version: string;
  /** When its cloud gives it up by itself (a lease), ISO 8601; missing: never, or it does not tell. */
  leaseEnds?: string;
  /** Null where it cannot be read: it is not finished, or locked. */
  description: PackageDescription | null;
}
