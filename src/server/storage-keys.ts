import { randomBytes } from 'node:crypto';
import { delay } from '../base/backoff.ts';
import type { Log } from '../base/log.ts';
import { Fault } from '../model/fault.ts';
import type { Nodes } from './nodes.ts';
import type { Database } from './store/database.ts';
import { deleteStorageKey, readStorageKey, storeStorageKey } from './store/storage-keys.ts';
import type { Vault } from './vault.ts';

const KEY_BYTES = 32;
const AGAIN_MILLISECONDS = 2000;

export interface StorageKeys {
  /**
   * Forgets the key under which a node keeps this server's blocks: from then on nobody can read them. Then has the node
   * free their space; one that is away does so when it is linked again. Faults: `job.state` while the node receives
   * something, `node.unreachable` when the key is forgotten and the space not yet freed.
   */
  erase(node: string, signal: AbortSignal): Promise<void>;
}

/** Gives every node that encrypts its storage the key for it at each link. Keys lie in the vault, one for each node. */
export function keepStorageKeys(options: {
  database: Database;
  nodes: Nodes;
  vault: Vault;
  closing: AbortSignal;
  log: Log;
}): StorageKeys {
  const { database, nodes, vault, closing, log } = options;

  const keyOf = async (node: string): Promise<string> => {
    const made = vault.seal(secretOf(node), randomBytes(KEY_BYTES).toString('base64'));
    await storeStorageKey(database, node, made);
    const sealed = await readStorageKey(database, node);
    if (sealed === null) throw new Fault('object.missing', `there is no node ${node}`);
    return vault.open(secretOf(node), sealed);
  };

  const give = async (node: string): Promise<void> => {
    if (nodes.get(node).about?.storage.encrypted !== true) return;
    while (!closing.aborted && nodes.connected(node)) {
      try {
        await nodes.client(node).giveKey({ owner: nodes.get(node).owner, body: { key: await keyOf(node) } }, closing);
        return;
      } catch (error) {
        log.warn({ node, fault: Fault.from(error, node).report() }, 'the node has not got the key of its storage');
        await delay(AGAIN_MILLISECONDS, closing).catch(() => {});
      }
    }
  };

  nodes.onLinked((node) => void give(node));
  for (const { id } of nodes.list()) void give(id);
  return {
    async erase(node, signal) {
      // Asked first, so that nothing that is still being received loses its key.
      const fault = await nodes
        .client(node)
        .eraseOwner({ owner: nodes.get(node).owner }, signal)
        .then(
          () => null,
          (error: unknown) => Fault.from(error, nodes.get(node).name),
        );
      if (fault !== null && fault.code !== 'node.unreachable') throw fault;
      await deleteStorageKey(database, node);
      if (fault === null) return give(node);
      throw new Fault(
        'node.unreachable',
        `node ${nodes.get(node).name} is away: its key is forgotten, its space not yet free`,
        {
          remedy: 'A node that encrypts its storage frees the space when it is linked again; else erase it again then.',
        },
      );
    },
  };
}

const secretOf = (node: string) => `storage:${node}`;
