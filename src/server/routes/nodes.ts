import { parseAddress } from '../../base/address.ts';
import { Fault } from '../../model/fault.ts';
import type { Clouds } from '../clouds.ts';
import type { Joining } from '../join.ts';
import type { Limits } from '../limits.ts';
import type { Nodes } from '../nodes.ts';
import { checkNodes } from '../reach/check.ts';
import type { Paths } from '../reach/paths.ts';
import type { Database } from '../store/database.ts';
import { audit } from '../store/settings.ts';
import type { Handlers } from './bind.ts';

export function nodeRoutes(options: {
  nodes: Nodes;
  paths: Paths;
  clouds: Clouds;
  joining: Joining;
  limits: Limits;
  database: Database;
}): Pick<Handlers, 'listNodes' | 'handPackageKey' | 'createJoinToken' | 'setLimit' | 'checkNodes' | 'removeNode'> {
  const { nodes, clouds, joining, limits, database } = options;
  return {
    async listNodes() {
      return { nodes: nodes.list() };
    },
    async createJoinToken({ body, host, user }) {
      return joining.createToken(body.address ?? withPort(host), user);
    },
    async handPackageKey({ parameters, body, user, signal }) {
      const node = nodes.get(parameters.node);
      const answer = await nodes.client(node.id).handPackageKey({ body }, signal);
      await audit(database, user, 'hand package key', `${node.name}: package ${body.package}`);
      return answer;
    },
    async setLimit({ parameters, body, user }) {
      const node = await limits.set(parameters.node, body.to, body.limit);
      const whose = body.to === undefined ? node.name : `${node.name} and ${nodes.get(body.to).name}`;
      await audit(database, user, 'limit node', `${whose}: ${JSON.stringify(body.limit)}`);
      return node;
    },
    checkNodes: ({ body, signal }) =>
      checkNodes(options, { source: nodes.get(body.source), destination: nodes.get(body.destination) }, signal),
    async removeNode({ parameters, user }) {
      const node = nodes.get(parameters.node);
      const using = clouds.list().filter((cloud) => cloud.node === node.id);
      if (using.length > 0) {
        throw new Fault('object.in-use', `node ${node.name} serves ${using.map(({ name }) => name).join(', ')}`, {
          remedy: 'Remove these clouds first.',
          details: { clouds: using.map(({ name }) => name) },
        });
      }
      await nodes.remove(node.id);
      await audit(database, user, 'remove node', node.name);
      return {};
    },
  };
}

function withPort(host: string): string {
  try {
    parseAddress(host);
    return host;
  } catch {
    return `${host}:443`;
  }
}
