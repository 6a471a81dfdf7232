import type { Nodes } from '../nodes.ts';
import type { StorageKeys } from '../storage-keys.ts';
import type { Database } from '../store/database.ts';
import { audit } from '../store/settings.ts';
import type { Handlers } from './bind.ts';

export function storageRoutes(nodes: Nodes, storageKeys: StorageKeys, database: Database): Pick<Handlers, 'eraseNode'> {
  return {
    async eraseNode({ parameters, user, signal }) {
      const node = nodes.get(parameters.node);
      await audit(database, user, 'erase node', node.name);
      await storageKeys.erase(node.id, signal);
      return {};
    },
  };
}
