import { Fault } from '../../model/fault.ts';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { NodeView } from '../../protocol/api/nodes.ts';
import type { Signed } from '../auth.ts';
import type { Clouds } from '../clouds.ts';
import { createMisses } from '../misses.ts';
import type { Nodes } from '../nodes.ts';
import { createObjects, type Objects } from '../objects.ts';
import { partsOfId, signInId } from '../sign-in-id.ts';
import { findAccount } from '../store/accounts.ts';
import type { Database } from '../store/database.ts';
import { readGrants } from '../store/grants.ts';
import { type JobPlaces, readPlaces } from '../store/places.ts';
import { createRights, type Rights } from './rights.ts';
import type { ShownEnds } from './shown-job.ts';

/** The world as one account sees it: what it may not see is as if it did not exist. */
export interface Sight {
  readonly rights: Rights;
  readonly clouds: Pick<Clouds, 'get'>;
  /**
   * The same, but of a cloud that everybody uses with their own account the person's sign-in. Fault `cloud.signed-out`:
   * there is none.
   */
  readonly inventories: Pick<Clouds, 'get'>;
  /** Those of the tenant, or of everybody. Faults: `object.missing`, `object.ambiguous`. */
  readonly nodes: Pick<Nodes, 'get'>;
  readonly objects: Objects;
  /** Null where it is not seen; without what only administrators have to know. */
  cloud(view: CloudView): CloudView | null;
  node(view: NodeView): NodeView | null;
  seesJob(places: JobPlaces | null): boolean;
  /** What is told of a job that is seen. */
  ends(places: JobPlaces | null): ShownEnds;
  /** May end it, as whoever administers what it is about. */
  mayStop(places: JobPlaces | null): boolean;
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

export function createSights(
  database: Database,
  clouds: Pick<Clouds, 'get' | 'list' | 'use' | 'nameOf' | 'view'>,
  nodes: Pick<Nodes, 'get' | 'list'>,
): Sights {
  const misses = createMisses();
  const of = async (signed: Signed) =>
    createSight(createRights(signed, await readGrants(database, signed.account), worldOf(signed.tenant)));
  const worldOf = (tenant: string | null) => {
    const all = clouds.list();
    const ofTenant = tenant === null ? [] : all.flatMap((cloud) => (cloud.tenant === tenant ? cloud.id : []));
    return { ofTenant, ownAccounts: new Set(all.flatMap(({ id, ownAccounts }) => (ownAccounts === true ? id : []))) };
  };

  function createSight(rights: Rights): Sight {
    const seen = (cloud: string) => rights.seesAll || rights.somewhere('see', cloud);
    const seenClouds: Pick<Clouds, 'get'> = {
      get(named) {
        const { cloud: base, account } = partsOfId(named);
        const cloud = account === rights.who.account ? base : named;
        const known = clouds.list().filter(({ id }) => seen(id));
        const found = meant('cloud', known, cloud);
        if (found !== undefined) return clouds.get(found.id);
        throw new Fault('object.missing', `there is no cloud "${cloud}"`, {
          remedy: `Known clouds: ${known.map(({ name }) => name).join(', ') || 'none'}.`,
        });
      },
    };
    const inventories: Pick<Clouds, 'get' | 'use'> = {
      use: (cloud, ask) => clouds.use(cloud, ask),
      get(cloud) {
        const row = seenClouds.get(cloud);
        if (row.sign_in === 'shared') return row;
        const own = signInId(row.id, rights.who.account);
        if (clouds.nameOf(own) !== null) return clouds.get(own);
        throw new Fault('cloud.signed-out', `${rights.who.user} is not signed in to ${row.name}`, {
          remedy: `Sign in with your own account there: cloudspan clouds sign-in ${row.name}`,
        });
      },
    };
    const seenNodes: Pick<Nodes, 'get'> = {
      get(node) {
        const known = nodes.list().filter((view) => rights.seesAll || view.tenant === who.tenant);
        const found = meant('node', rights.manages ? known : [], node);
        if (found === undefined) throw new Fault('object.missing', `there is no node "${node}"`);
        return nodes.get(found.id);
      },
    };
    const { who } = rights;
    const ends = (places: JobPlaces | null): ShownEnds => {
      if (rights.seesAll) return { source: true, destination: true, cloud: null };
      if (places === null) return { source: false, destination: false, cloud: null };
      const source = rights.may('see', places.source_cloud, places.source);
      const destination = rights.may('see', places.destination_cloud, places.destination);
      const one = source ? places.source_cloud : destination ? places.destination_cloud : null;
      const apart = places.source_cloud !== places.destination_cloud;
      return { source, destination, cloud: apart && one !== null ? clouds.nameOf(one) : null };
    };
    const admitted = ({ source_cloud, destination_cloud }: JobPlaces) =>
      who.clouds === null ||
      [source_cloud, destination_cloud].some((id) => who.clouds?.includes(partsOfId(id).cloud) === true);
    /** What the person's own account makes of it. */
    const asOwn = (view: CloudView, id: string): CloudView => {
      const own = signInId(id, who.account);
      const signedIn = clouds.nameOf(own) !== null;
      if (signedIn) return { ...clouds.view(own), id, signedIn };
      // What went wrong with the account that keeps watch, and what it may do, is nothing that is the person's.
      const { fault: _, checked: __, ...rest } = view;
      return { ...rest, objects: 0, id, signedIn };
    };
    const seesJob = (places: JobPlaces | null) =>
      rights.seesAll ||
      (places !== null &&
        ((places.account === who.account && admitted(places)) || ends(places).source || ends(places).destination));
    return {
      rights,
      clouds: seenClouds,
      inventories,
      nodes: seenNodes,
      objects: createObjects(database, inventories, rights, misses),
      cloud(view) {
        const { cloud: id, account } = partsOfId(view.id);
        if (!seen(id) || (account !== null && account !== who.account)) return null;
        const shown = view.ownAccounts === true ? asOwn(view, id) : view;
        return rights.seesAll || rights.manages ? shown : withoutAddresses(shown);
      },
      node(view) {
        if (rights.seesAll || (rights.manages && view.tenant === who.tenant)) return view;
        const near = clouds.list().some(({ id, node }) => node === view.id && seen(id));
        const { address: _, ...rest } = view;
        return near ? rest : null;
      },
      seesJob,
      ends,
      mayStop: (places) => rights.administers || (rights.manages && seesJob(places)),
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
      if (places === undefined || places === null) return createObjects(database, clouds);
      const account = await findAccount(database, places.runner);
      if (account === null || account.disabled) {
        throw new Fault('auth.forbidden', 'the account that started the job is gone or disabled', {
          remedy: 'Somebody else who may copy this can retry it.',
        });
      }
      const { id, name, role, tenant } = account;
      return (await of({ account: id, user: name, role, tenant, scope: 'own', clouds: null, via: 'job' })).objects;
    },
  };
}

/** Of a check only what can be done there is for everybody: its steps name the account, addresses and the certificate. */
function withoutAddresses({ checked, ...view }: CloudView): CloudView {
  const plain = { ...view, options: {} };
  return checked === undefined
    ? plain
    : { ...plain, checked: { at: checked.at, checks: [], capabilities: checked.capabilities } };
}

/**
 * What somebody means by an id or a name. Names are taken once per tenant only: of several the installation's own is
 * meant. Fault `object.ambiguous`.
 */
function meant<View extends { id: string; name: string; tenant?: string | undefined }>(
  what: string,
  known: View[],
  named: string,
): View | undefined {
  const byId = known.find(({ id }) => id === named);
  const fits = known.filter(({ name }) => name === named);
  const [first, second] = fits;
  const found = byId ?? (second === undefined ? first : fits.find(({ tenant }) => tenant === undefined));
  if (found !== undefined || second === undefined) return found;
  const ids = fits.map(({ id }) => id);
  throw new Fault('object.ambiguous', `several tenants have a ${what} "${named}": ${ids.join(', ')}`, {
    remedy: 'Name one by its id.',
    details: { ids },
  });
}
