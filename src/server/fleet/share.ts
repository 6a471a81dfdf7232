import type { Log } from '../../base/log.ts';
import type { ServerEvent } from '../../protocol/api.ts';
import type { Clouds } from '../clouds.ts';
import type { Events } from '../events.ts';
import { type Records, viewOfJob } from '../jobs/record.ts';
import type { Nodes } from '../nodes.ts';
import type { Database } from '../store/database.ts';
import { readJob } from '../store/jobs.ts';
import type { Fleet } from './fleet.ts';
import { type Changed, openWire, type Wire } from './wire.ts';

interface Shared {
  fleet: Fleet;
  database: Database;
  events: Events;
  nodes: Nodes;
  clouds: Clouds;
  records: Records;
  log: Log;
}

/** Takes in what happens at the other servers, and tells its pages. Null where there can be no other. */
export function shareEvents({ fleet, database, events, nodes, clouds, records, log }: Shared): Wire | null {
  if (fleet.alone) return null;

  const onEvent = async (event: ServerEvent): Promise<void> => {
    // How a node is linked differs from server to server.
    if (event.type === 'node') return nodes.refresh();
    if (event.type === 'node-gone') await nodes.refresh();
    if (event.type === 'cloud') await clouds.heard(event.cloud);
    if (event.type === 'cloud-gone') await clouds.refresh();
    if (event.type === 'inventory') await clouds.heardObjects(event.cloud);
    events.hear(event);
  };

  const onChanged = async ({ type, id }: Changed): Promise<void> => {
    if (type === 'wish') await records.running(id)?.readWishes();
    if (type === 'node') await nodes.refresh();
    if (type === 'hello') clouds.tellAll();
    if (type === 'cloud') {
      await clouds.refresh();
      events.hear({ type: 'cloud', cloud: clouds.view(id) });
    }
    if (type !== 'job') return;
    const row = await readJob(database, id);
    if (row !== null) events.hear({ type: 'job', job: viewOfJob(row) });
  };

  const onAgain = async (): Promise<void> => {
    await nodes.refresh();
    await clouds.refresh();
    for (const record of records.all()) await record.readWishes();
    wire.tell({ type: 'hello', id: fleet.id });
  };

  const wire = openWire({ database, events, id: fleet.id, onEvent, onChanged, onAgain, log });
  return wire;
}
