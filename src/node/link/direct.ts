import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { NodeApi } from '../api.ts';
import type { Membership } from '../membership.ts';
import type { Door } from '../port.ts';
import { acceptUpgrade } from '../upgrade.ts';
import { watchSession } from './session.ts';

/** Lets a joined server dial this node; its pin is all that it needs, and nobody else comes in. */
export function directDoor(membership: Membership, api: NodeApi, log: Log, stallSeconds: number): Door {
  return async ({ message, socket, head, pin }) => {
    const server = membership.byPin(pin);
    if (server === undefined) {
      throw new Fault('node.untrusted', `this node has not joined a server with the key ${pin ?? 'none'}`);
    }
    await acceptUpgrade(message, socket, head, `server ${server.id}`);
    log.info({ server: server.id }, 'the server linked to this node');
    void watchSession(api.accept(socket, server.id), socket, stallSeconds).then(() => {
      log.warn({ server: server.id }, 'the link that the server made ended');
    });
  };
}
