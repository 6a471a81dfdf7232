import type { Identity } from '../../base/identity.ts';
import type { Log } from '../../base/log.ts';
import type { Clouds } from '../clouds.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Changed } from '../fleet/wire.ts';
import type { Nodes } from '../nodes.ts';
import type { Objects } from '../objects.ts';
import type { Paths } from '../reach/paths.ts';
import type { Database } from '../store/database.ts';
import type { Records } from './record.ts';

/** What the steps of a job work with. */
export interface JobContext {
  database: Database;
  nodes: Nodes;
  clouds: Clouds;
  objects: Objects;
  /** As whoever started the last attempt of a job sees and may use them now. */
  objectsFor(job: string): Promise<Objects>;
  records: Records;
  paths: Paths;
  identity: Identity;
  fleet: Fleet;
  /** Tells the other servers. */
  tellServers(changed: Changed): void;
  owner: string;
  log: Log;
  /** Aborted when the server closes; what a job waits for is then left as it is. */
  closing: AbortSignal;
}
