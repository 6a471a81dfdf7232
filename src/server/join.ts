import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { parseAddress } from '../base/address.ts';
import type { Identity } from '../base/identity.ts';
import { Fault } from '../model/fault.ts';
import type { JoinAnswer, JoinRequest, JoinToken } from '../protocol/join.ts';
import type { Nodes } from './nodes.ts';
import type { Database } from './store/database.ts';
import { admitNode, insertToken } from './store/nodes.ts';
import { audit } from './store/settings.ts';

const TOKEN_MINUTES = 30;

export interface Joining {
  /** A single-use token, good for 30 minutes. `address` is where the node shall dial; it will be the tenant's. */
  createToken(address: string, account: string, tenant: string | null): Promise<{ token: string; expires: string }>;
  /**
   * Stores the pin of the certificate that the node showed. Faults: `node.join-refused`, `node.untrusted` (no
   * certificate), `input.invalid`, `object.exists` (the name).
   */
  join(request: JoinRequest, seen: { pin: string; certificate: string } | null): Promise<JoinAnswer>;
}

export function createJoining(database: Database, nodes: Nodes, identity: Identity, owner: string): Joining {
  return {
    async createToken(address, account, tenant) {
      parseAddress(address);
      const secret = randomBytes(32).toString('base64url');
      const expires = new Date(Date.now() + TOKEN_MINUTES * 60_000).toISOString();
      await insertToken(database, hashOf(secret), account, tenant ?? owner, expires);
      const token: JoinToken = { server: address, pin: identity.pin, secret, expires };
      return { token: `cs1.${Buffer.from(JSON.stringify(token)).toString('base64url')}`, expires };
    },
    async join(request, seen) {
      if (seen === null) throw new Fault('node.untrusted', `"${request.name}" joins without a certificate of its own`);
      if (request.address !== undefined) parseAddress(request.address);
      else if (request.link === 'direct' || request.public) {
        throw new Fault('input.invalid', `"${request.name}" joins as direct or public node without an address`, {
          remedy: 'Give host:port under which server and nodes reach it.',
        });
      }
      const row = await admitNode(database, hashOf(request.secret), owner, {
        id: randomUUID(),
        name: request.name,
        ...seen,
        link: request.link,
        public: request.public,
        address: request.address ?? null,
      });
      if (row === 'name') {
        throw new Fault('object.exists', `another node has the name "${request.name}"`, {
          remedy: 'Choose another name; the token can still be used.',
        });
      }
      if (row === null)
        throw new Fault('node.join-refused', `the token of "${request.name}" is wrong, used or too old`);
      await audit(database, `node ${row.name}`, 'join', row.pin);
      nodes.admitted(row);
      return { node: row.id, server: owner, certificate: identity.certificate };
    },
  };
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
