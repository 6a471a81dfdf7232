import { dialOf, type Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { ProcessLog } from '../../protocol/api/logs.ts';
import type { Nodes } from '../nodes.ts';
import type { Handlers } from './bind.ts';

export function logRoutes(nodes: Nodes, log: Log): Pick<Handlers, 'listLogLevels' | 'setLogLevel'> {
  return {
    async listLogLevels({ signal }) {
      const asked = nodes.list().map(async ({ id, name }): Promise<ProcessLog> => {
        try {
          return { node: name, log: await nodes.client(id).getLogLevel({}, signal) };
        } catch (error) {
          return { node: name, fault: tooOld(error, name).report() };
        }
      });
      return { processes: [{ log: dialOf(log).state() }, ...(await Promise.all(asked))] };
    },
    async setLogLevel({ body: { node, level, seconds }, sight, signal }) {
      const how = { level, ...(seconds === undefined ? {} : { seconds }) };
      if (node === undefined) return { log: dialOf(log).set(level, seconds) };
      const { id, name } = sight.nodes.get(node);
      try {
        return { node: name, log: await nodes.client(id).setLogLevel({ body: how }, signal) };
      } catch (error) {
        throw tooOld(error, name);
      }
    },
  };
}

/** A node of an earlier release knows nothing of levels. */
function tooOld(error: unknown, node: string): Fault {
  const fault = Fault.from(error, `node ${node}`);
  if (fault.code !== 'object.missing') return fault;
  return new Fault('protocol.version', `node ${node} is too old to change its log level while it runs`, {
    remedy: 'Update the node, or start it with CLOUDSPAN_LOG=debug.',
  });
}
