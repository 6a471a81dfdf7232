import { parseAddress } from '../../base/address.ts';
import { Fault } from '../../model/fault.ts';
import type { Clouds } from '../clouds.ts';
import type { Joining } from '../join.ts';
import type { Limits } from '../limits.ts';
import type { Nodes } from '../nodes.ts';
import { type Tenants, tenantFor } from '../people/tenants.ts';
import { checkNodes } from '../reach/check.ts';
import type { Paths } from '../reach/paths.ts';
import type { Handlers } from './bind.ts';

export function nodeRoutes(options: {
  nodes: Nodes;
  paths: Paths;
  clouds: Clouds;
  joining: Joining;
  limits: Limits;
  tenants: Tenants;
}): Pick<Handlers, 'listNodes' | 'handPackageKey' | 'createJoinToken' | 'setLimit' | 'checkNodes' | 'removeNode'> {
  const { nodes, clouds, joining, limits, tenants } = options;
  return {
    listNodes: async ({ sight }) => ({ nodes: nodes.list().flatMap((view) => sight.node(view) ?? []) }),
    async createJoinToken({ body, host, user, sight }) {
      const tenant = await tenantFor(sight, body.tenant, tenants);
      return joining.createToken(body.address ?? withPort(host), user, tenant?.id ?? null);
    },
    handPackageKey: async ({ parameters, body, signal }) =>
      nodes.client(nodes.get(parameters.node).id).handPackageKey({ body }, signal),
    setLimit: async ({ parameters, body: { to, limit }, sight }) =>
      limits.set(parameters.node, to === undefined ? undefined : sight.nodes.get(to).id, limit),
    checkNodes: ({ body, sight, signal }) =>
      checkNodes(
        options,
        { source: sight.nodes.get(body.source), destination: sight.nodes.get(body.destination) },
        signal,
      ),
    async removeNode({ parameters }) {
      const node = nodes.get(parameters.node);
      const using = clouds.list().filter((cloud) => cloud.node === node.id);
      if (using.length > 0) {
        throw new Fault('object.in-use', `node ${node.name} serves ${using.map(({ name }) => name).join(', ')}`, {
          remedy: 'Remove these clouds first.',
          details: { clouds: using.map(({ name }) => name) },
        });
      }
      await nodes.remove(node.id);
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
