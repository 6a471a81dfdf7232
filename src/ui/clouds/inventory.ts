import { type UseQueryResult, useQueries, useQuery } from '@tanstack/react-query';
import { escapeName } from '../../model/path.ts';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { ObjectView } from '../../protocol/api/objects.ts';
import { api } from '../server.ts';

const CONTAINERS = 'datacenter,folder,cluster,host,pool,vdc,catalog,vapp';
const MACHINES = 'vm,vapp,template';

export function useClouds(): UseQueryResult<CloudView[]> {
  return useQuery({
    queryKey: ['clouds'],
    queryFn: async ({ signal }) => (await api.listClouds({}, signal)).clouds,
  });
}

/** What several clouds hold of some kinds; `pending` until each has answered or failed. */
export interface Holdings {
  objects: ObjectView[];
  pending: boolean;
  errors: unknown[];
}

/** Everything that can hold something; changes in the cloud show by themselves. */
export const useContainers = (clouds: CloudView[]) => useObjects(clouds, 'containers', CONTAINERS);

/** Every VM, vApp and template. */
export const useMachines = (clouds: CloudView[]) => useObjects(clouds, 'machines', MACHINES);

function useObjects(clouds: CloudView[], what: string, kinds: string): Holdings {
  return useQueries({
    queries: clouds.map((cloud) => ({
      queryKey: ['objects', cloud.id, what],
      queryFn: async ({ signal }: { signal: AbortSignal }) =>
        (await api.listObjects({ query: { cloud: cloud.id, kinds } }, signal)).objects,
    })),
    combine: (results) => ({
      objects: results.flatMap((result) => result.data ?? []),
      pending: results.some((result) => result.isPending),
      errors: results.filter((result) => result.isError && result.data === undefined).map((result) => result.error),
    }),
  });
}

/** `<cloud>/<path>` as commands and requests take it; by id where the path fits several objects. */
export function referenceOf(cloud: CloudView, object: ObjectView, among: readonly ObjectView[]): string {
  const same = among.filter((one) => one.cloud === object.cloud && one.path === object.path).length;
  return escapeName(cloud.name) + (same > 1 ? `/id:${escapeName(object.id)}` : object.path);
}
