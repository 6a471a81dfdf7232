import type { Clouds } from '../clouds.ts';
import type { Handlers } from './bind.ts';

type Names = 'listObjects' | 'power' | 'placement' | 'description';

export function objectRoutes(clouds: Clouds): Pick<Handlers, Names> {
  return {
    async listObjects({ query: { cloud, parent, path, kinds }, sight }) {
      return {
        objects: await sight.objects.list({
          cloud,
          ...(parent === undefined ? {} : { parent }),
          ...(path === undefined ? {} : { path }),
          ...(kinds === undefined ? {} : { kinds }),
        }),
      };
    },
    async power({ parameters: { cloud, object }, body, signal }) {
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
