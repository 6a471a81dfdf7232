import type { CloudView } from '../../protocol/api/clouds.ts';
import type { ObjectView } from '../../protocol/api/objects.ts';
import type { TreeNode } from '../tree.tsx';

const order = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** Id of a node: of a cloud, or of a container in it. */
export function placeId(cloud: string, object?: string): string {
  return object === undefined ? cloud : `${cloud} ${object}`;
}

export function placeOf(id: string): { cloud: string; object: string | undefined } {
  const space = id.indexOf(' ');
  return space < 0 ? { cloud: id, object: undefined } : { cloud: id.slice(0, space), object: id.slice(space + 1) };
}

/** The containers of all clouds as trees; one whose parent is not listed stands at the top of its cloud. */
export function placeTree(
  clouds: CloudView[],
  containers: ObjectView[],
  decorate: (object: ObjectView | null, cloud: CloudView) => Partial<TreeNode> = () => ({}),
): TreeNode[] {
  const children = new Map<string, ObjectView[]>();
  const known = new Set(containers.map((object) => placeId(object.cloud, object.id)));
  for (const object of containers) {
    const above = object.parent === null ? object.cloud : placeId(object.cloud, object.parent);
    const key = known.has(above) ? above : object.cloud;
    children.set(key, [...(children.get(key) ?? []), object]);
  }
  const below = (id: string, cloud: CloudView): TreeNode[] =>
    (children.get(id) ?? [])
      .sort((a, b) => order.compare(a.name, b.name))
      .map((object) => {
        const child = placeId(object.cloud, object.id);
        return {
          id: child,
          label: object.name,
          glyph: object.kind,
          children: below(child, cloud),
          ...decorate(object, cloud),
        };
      });
  return [...clouds]
    .sort((a, b) => order.compare(a.name, b.name))
    .map((cloud) => ({
      id: cloud.id,
      label: cloud.name,
      glyph: 'cloud' as const,
      children: below(cloud.id, cloud),
      ...decorate(null, cloud),
    }));
}
