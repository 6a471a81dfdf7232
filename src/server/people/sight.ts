import { Fault } from '../../model/fault.ts';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { NodeView } from '../../protocol/api/nodes.ts';
import type { Signed } from '../auth.ts';
import type { Clouds } from '../clouds.ts';
import { createObjects, type Objects } from '../objects.ts';
import { findAccount } from '../store/accounts.ts';
import type { Database } from '../store/database.ts';
import { readGrants } from '../store/grants.ts';
import { type JobPlaces, readPlaces } from '../store/places.ts';
import { createRights, type Rights } from './rights.ts';

/** The world as one account sees it: what it may not see is as if it did not exist. */
export interface Sight {
  readonly rights: Rights;
  readonly clouds: Pick<Clouds, 'get'>;
  readonly objects: Objects;
  /** Null where it is not seen; without what only administrators have to know. */
  cloud(view: CloudView): CloudView | null;
  node(view: NodeView): NodeView | null;
  seesJob(places: JobPlaces | null): boolean;
  /** Could start the same copy now. */
  mayRun(places: JobPlaces | null): boolean;
  /** May delete where the job puts things. */
  mayUndo(places: JobPlaces | null): boolean;
  /** May delete what the job reads. */
  mayDeleteSource(places: JobPlaces | null): boolean;
}

export interface Sights {
  of(signed: Signed): Promise<Sight>;
  /** Of whoever started the last attempt of a job, as it is now. Fault `auth.forbidden`: the account is gone or disabled. */
  ofJob(job: string): Promise<Objects>;
}

export function createSights(database: Database, clouds: Pick<Clouds, 'get' | 'list' | 'use'>, owner: string): Sights {
  const of = async (signed: Signed) => createSight(createRights(signed, await readGrants(database, signed.account)));

  function createSight(rights: Rights): Sight {
    const seen = (cloud: string) => rights.seesAll || rights.somewhere('see', cloud);
    const seenClouds: Pick<Clouds, 'get' | 'use'> = {
      use: (cloud, ask) => clouds.use(cloud, ask),
      get(cloud) {
        const found = clouds.list().find(({ id, name }) => id === cloud || name === cloud);
        if (found !== undefined && seen(found.id)) return clouds.get(found.id);
        const names = clouds.list().filter(({ id }) => seen(id));
        throw new Fault('object.missing', `there is no cloud "${cloud}"`, {
          remedy: `Known clouds: ${names.map(({ name }) => name).join(', ') || 'none'}.`,
        });
      },
    };
    const { who } = rights;
    const admitted = ({ source_cloud, destination_cloud }: JobPlaces) =>
      who.clouds === null || who.clouds.includes(source_cloud) || who.clouds.includes(destination_cloud);
    return {
      rights,
      clouds: seenClouds,
      objects: createObjects(database, seenClouds, owner, rights),
      cloud(view) {
        if (!seen(view.id)) return null;
        return rights.seesAll ? view : { ...view, options: {} };
      },
      node(view) {
        if (rights.seesAll) return view;
        const near = clouds.list().some(({ id, node }) => node === view.id && seen(id));
        const { address: _, ...rest } = view;
        return near ? rest : null;
      },
      seesJob: (places) =>
        rights.seesAll ||
        (places !== null &&
          ((places.account === who.account && admitted(places)) ||
            rights.may('see', places.source_cloud, places.source) ||
            rights.may('see', places.destination_cloud, places.destination))),
      mayUndo: (places) =>
        places === null ? rights.administers : rights.may('delete', places.destination_cloud, places.destination),
      mayDeleteSource: (places) =>
        places === null ? rights.administers : rights.may('delete', places.source_cloud, places.source),
      mayRun: (places) =>
        places === null
          ? rights.administers
          : rights.may('copy-out', places.source_cloud, places.source) &&
            rights.forbiddenBy('copy-out', places.source_cloud, places.source, true) === undefined &&
            rights.may('copy-in', places.destination_cloud, places.destination),
    };
  }

  return {
    of,
    async ofJob(job) {
      const places = (await readPlaces(database, job))?.places;
      if (places === undefined || places === null) return createObjects(database, clouds, owner);
      const account = await findAccount(database, places.runner);
      if (account === null || account.disabled) {
        throw new Fault('auth.forbidden', 'the account that started the job is gone or disabled', {
          remedy: 'Somebody else who may copy this can retry it.',
        });
      }
      const { id, name, role } = account;
      return (await of({ account: id, user: name, role, scope: 'own', clouds: null, via: 'job' })).objects;
    },
  };
}
