import { ProbeCloudAnswerSchema } from '../../protocol/api/clouds.ts';
import type { Clouds } from '../clouds.ts';
import { refuseWhileUsed } from '../jobs/usage.ts';
import type { Nodes } from '../nodes.ts';
import type { SignIns } from '../sign-ins.ts';
import type { Database } from '../store/database.ts';
import type { Handlers } from './bind.ts';

type Names =
  | 'signInToCloud'
  | 'signOutOfCloud'
  | 'listClouds'
  | 'probeCloud'
  | 'checkNewCloud'
  | 'checkCloud'
  | 'addCloud'
  | 'testCloud'
  | 'removeCloud';

export function cloudRoutes(clouds: Clouds, nodes: Nodes, signIns: SignIns, database: Database): Pick<Handlers, Names> {
  return {
    async signInToCloud({ parameters, body, sight, signed, signal }) {
      const cloud = sight.clouds.get(parameters.cloud);
      const view = await signIns.signIn(cloud, signed.account, body.options, signal);
      return sight.cloud(view) ?? view;
    },
    async signOutOfCloud({ parameters, sight, signed }) {
      await signIns.signOut(sight.clouds.get(parameters.cloud), signed.account);
      return {};
    },
    listClouds: async ({ sight }) => ({ clouds: clouds.list().flatMap((view) => sight.cloud(view) ?? []) }),
    async probeCloud({ body, sight, signal }) {
      const { node, driver, options } = body;
      return ProbeCloudAnswerSchema.parse(
        await nodes.client(sight.nodes.get(node).id).probe({ body: { driver, options } }, signal),
      );
    },
    checkNewCloud: async ({ body, sight, signal }) =>
      clouds.checkNew({ ...body, node: sight.nodes.get(body.node).id }, signal),
    addCloud: async ({ body, sight, signal }) => clouds.add({ ...body, node: sight.nodes.get(body.node).id }, signal),
    async testCloud({ parameters, signal }) {
      return clouds.test(parameters.cloud, signal);
    },
    checkCloud: async ({ parameters, signal }) => clouds.check(parameters.cloud, signal),
    async removeCloud({ parameters }) {
      const { id, name } = clouds.get(parameters.cloud);
      await refuseWhileUsed(database, id, name);
      await clouds.remove(id);
      return {};
    },
  };
}
