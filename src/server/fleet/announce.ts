import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { Nodes } from '../nodes.ts';
import type { Fleet } from './fleet.ts';

const TELL_MILLISECONDS = 10_000;

/**
 * Tells every linked node where the servers are dialled, so that it keeps a link to each. Where there is one server only,
 * nodes go on dialling where they joined.
 */
export function announceServers(fleet: Fleet, nodes: Nodes, closing: AbortSignal, log: Log): void {
  if (fleet.alone) return;
  const told = new Map<string, string>();
  let addresses: string[] = [];

  const tell = async (id: string): Promise<void> => {
    const text = JSON.stringify(addresses);
    if (addresses.length < 2 && (told.get(id) ?? '[]') === '[]') return;
    if (told.get(id) === text || !nodes.connected(id)) return;
    told.set(id, text);
    try {
      const limit = AbortSignal.any([closing, AbortSignal.timeout(TELL_MILLISECONDS)]);
      await nodes.client(id).setServers({ body: { addresses } }, limit);
    } catch (error) {
      const fault = Fault.from(error, id);
      // An older node has its one link, and is driven by the server at its end.
      if (fault.code !== 'object.missing') told.delete(id);
      log.info({ node: id, fault: fault.report() }, 'the node does not know all servers');
    }
  };

  nodes.onLinked((id) => {
    told.delete(id);
    void tell(id);
  });
  fleet.onBeat(async () => {
    addresses = [...new Set((await fleet.list()).map(({ address }) => address))].sort();
    for (const { id, connected } of nodes.list()) if (connected) void tell(id);
  });
}
