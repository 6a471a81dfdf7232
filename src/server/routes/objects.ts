import type { Clouds } from '../clouds.ts';
import type { Objects } from '../objects.ts';
import type { Database } from '../store/database.ts';
import { audit } from '../store/settings.ts';
import type { Handlers } from './bind.ts';

type Names = 'listObjects' | 'power' | 'placement' | 'description';

export function objectRoutes(clouds: Clouds, objects: Objects, database: Database): Pick<Handlers, Names> {
  return {
    async listObjects({ query: { cloud, parent, path, kinds } }) {
      return {
        objects: await objects.list({
          cloud,
          ...(parent === undefined ? {} : { parent }),
          ...(path === undefined ? {} : { path }),
          ...(kinds === undefined ? {} : { kinds }),
        }),
      };
    },
    async power({ parameters: { cloud, object }, body, user, signal }) {
      await audit(database, user, `power ${body.action}`, `${clouds.get(cloud).name}/id:${object}`);
      return clouds.use(cloud, (node, id) => node.power({ cloud: id, object, body }, signal));
    },
    async placement({ parameters: { cloud, object }, signal }) {
      return { options: await clouds.use(cloud, (node, id) => node.placement({ cloud: id, object }, signal)) };
    },
    async description({ parameters: { cloud, object }, signal }) {
      return { description: await clouds.use(cloud, (node, id) => node.describe({ cloud: id, object }, signal)) };
    },
  };
}
