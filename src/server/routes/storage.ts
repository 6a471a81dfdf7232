import type { Nodes } from '../nodes.ts';
import type { StorageKeys } from '../storage-keys.ts';
import type { Handlers } from './bind.ts';

export function storageRoutes(nodes: Nodes, storageKeys: StorageKeys): Pick<Handlers, 'eraseNode'> {
  return {
    async eraseNode({ parameters, signal }) {
      await storageKeys.erase(nodes.get(parameters.node).id, signal);
      return {};
    },
  };
}
