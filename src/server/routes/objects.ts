import { Fault } from '../../model/fault.ts';
import type { Clouds } from '../clouds.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import type { Handlers } from './bind.ts';

type Names = 'listObjects' | 'power' | 'placement' | 'description';

export function objectRoutes(clouds: Clouds): Pick<Handlers, Names> {
  return {
    async listObjects({ query: { cloud, parent, path, kinds, limit, cursor }, sight }) {
      const found = await sight.objects.list({
        cloud,
        ...(parent === undefined ? {} : { parent }),
        ...(path === undefined ? {} : { path }),
        ...(kinds === undefined ? {} : { kinds }),
      });
      const from = cursor === undefined ? 0 : placeOf(found, readCursor('objects', cursor));
      const end = limit === undefined ? found.length : from + limit;
      return {
        objects: found.slice(from, end),
        ...(end < found.length ? { next: writeCursor('objects', found[end - 1]?.id ?? '') } : {}),
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

/** Behind the object that the answer before ended with. */
function placeOf(objects: readonly { id: string }[], last: string): number {
  const place = objects.findIndex(({ id }) => id === last);
  if (place >= 0) return place + 1;
  throw new Fault('input.invalid', 'the object that the list went on behind is not there any more', {
    remedy: 'Read the list from its beginning.',
  });
}
