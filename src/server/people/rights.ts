import { RIGHTS, type Right } from '../../model/rights.ts';
import type { Signed } from '../auth.ts';
import { partsOfId, signInId } from '../sign-in-id.ts';
import type { GrantRow } from '../store/grants.ts';

type Who = Pick<Signed, 'account' | 'user' | 'role' | 'tenant' | 'scope' | 'clouds'>;
export type Grant = Pick<GrantRow, 'number' | 'account' | 'cloud' | 'object' | 'effect' | 'rights' | 'above'>;

/** A place of a cloud: the ids from its root down to the object itself; none for the cloud as a whole. */
export type Place = readonly string[];

/** A cloud as a whole (`object` is null), or an object and everything in it. */
export type Spot = Pick<GrantRow, 'cloud' | 'object'>;

export interface Seen {
  within: readonly Spot[] | null;
  without: readonly Spot[];
  own: readonly string[];
}

/** What an account may do, where. */
export interface Rights {
  /** Of an account of a tenant `clouds` are those of the tenant, at most. */
  readonly who: Who;
  /** May do what concerns the installation as a whole. */
  readonly administers: boolean;
  /** Administers the tenant, or the installation: accounts, nodes, clouds. */
  readonly manages: boolean;
  /** Sees every cloud, node and job there is. */
  readonly seesAll: boolean;
  may(right: Right, cloud: string, place: Place): boolean;
  /**
   * The same as `may('see', …)` for a question to the database: what lies at or below one of `within` (null: everywhere)
   * and of none of `without`. Of the sign-ins of people only those in `own` are asked about.
   */
  readonly sees: Seen;
  /** Has this right for something in the cloud. */
  somewhere(right: Right, cloud: string): boolean;
  /** Whether it is shown, or only as what leads to something that is. */
  shows(cloud: string, place: Place): 'whole' | 'way' | 'not';
  /** What forbids it here, at something above, or (`below`) at something inside. */
  forbiddenBy(right: Right, cloud: string, place: Place, below: boolean): Grant | undefined;
}

interface World {
  /** Ids of the clouds of the tenant of whoever it is, where there is one: there is nothing else for it. */
  ofTenant: readonly string[];
  /**
   * Ids of the clouds that everybody uses with their own account. A grant for such a cloud lets somebody sign in; what is
   * then seen and done in it is for the cloud to say, and for what is forbidden here.
   */
  ownAccounts: ReadonlySet<string>;
}

const NO_WORLD: World = { ofTenant: [], ownAccounts: new Set() };
const READING: readonly Right[] = ['see'];

/**
 * Allowing adds up from the cloud down to the object; forbidding takes away whatever was allowed, here or above. Nobody
 * is spared from what is forbidden for everybody, but administrators still see it, so that they can take it back.
 */
export function createRights(
  signed: Who,
  grants: readonly Grant[],
  { ofTenant, ownAccounts }: World = NO_WORLD,
): Rights {
  const admitted = ofTenant.filter((cloud) => signed.clouds === null || signed.clouds.includes(cloud));
  const who = signed.tenant === null ? signed : { ...signed, clouds: admitted };
  const ceiling = who.role === 'viewer' || who.scope === 'read' ? READING : RIGHTS;
  const all = who.role === 'administrator';
  const admits = (cloud: string) => who.clouds === null || who.clouds.includes(cloud);
  const holds = (grant: Grant, cloud: string, place: Place) =>
    grant.cloud === cloud && (grant.object === null || place.includes(grant.object));
  const allowing = grants.filter(({ effect }) => effect === 'allow');
  const forbidding = grants.filter(({ effect }) => effect === 'forbid');
  const gives = ({ rights }: Grant, right: Right) => right === 'see' || rights.includes(right);

  const forbiddenBy: Rights['forbiddenBy'] = (right, id, place, below) => {
    const { cloud } = partsOfId(id);
    if (right === 'see' && all) return undefined;
    const here = place.at(-1);
    return forbidding.find(
      (grant) =>
        (grant.rights.includes(right) || grant.rights.includes('see')) &&
        !(all && !grant.rights.includes(right)) &&
        (holds(grant, cloud, place) ||
          (below && grant.cloud === cloud && (here === undefined || grant.above.includes(here)))),
    );
  };
  const may: Rights['may'] = (right, cloud, place) => {
    const { cloud: base, account } = partsOfId(cloud);
    if (account === null) return (!ownAccounts.has(cloud) || place.length === 0) && mayByGrant(right, cloud, place);
    return (
      account === who.account &&
      ceiling.includes(right) &&
      mayByGrant('see', base, []) &&
      forbiddenBy(right, base, place, false) === undefined
    );
  };
  const mayByGrant: Rights['may'] = (right, cloud, place) =>
    admits(cloud) &&
    ceiling.includes(right) &&
    (all || allowing.some((grant) => holds(grant, cloud, place) && gives(grant, right))) &&
    forbiddenBy(right, cloud, place, false) === undefined;
  const placeOf = ({ above, object }: Grant): Place => (object === null ? [] : [...above.toReversed(), object]);
  const somewhere: Rights['somewhere'] = (right, cloud) =>
    may(right, cloud, []) ||
    allowing.some((grant) => grant.cloud === cloud && gives(grant, right) && may(right, cloud, placeOf(grant)));

  const seen = (): Seen => {
    const whole = (cloud: string): Spot => ({ cloud, object: null });
    const signedIn = [...ownAccounts].filter((cloud) => mayByGrant('see', cloud, []));
    const own = signedIn.map((cloud) => signInId(cloud, who.account));
    const granted: Spot[] = all
      ? (who.clouds ?? []).map(whole)
      : allowing.filter((grant) => admits(grant.cloud) && gives(grant, 'see'));
    const hidden = all ? [] : forbidding.filter(({ rights }) => rights.includes('see'));
    const hiddenThere = hidden
      .filter(({ cloud }) => signedIn.includes(cloud))
      .map(({ cloud, object }) => ({ cloud: signInId(cloud, who.account), object }));
    return {
      within: all && who.clouds === null ? null : [...granted, ...own.map(whole)],
      without: [...hidden, ...hiddenThere, ...[...ownAccounts].map(whole)],
      own,
    };
  };

  return {
    who,
    administers: all && who.scope === 'own' && who.clouds === null,
    manages: all && who.scope === 'own' && signed.clouds === null,
    seesAll: all && who.clouds === null,
    may,
    sees: seen(),
    somewhere,
    forbiddenBy,
    shows(cloud, place) {
      if (may('see', cloud, place)) return 'whole';
      const here = place.at(-1);
      const leads = allowing.some(
        (grant) =>
          grant.cloud === cloud &&
          here !== undefined &&
          grant.above.includes(here) &&
          may('see', cloud, placeOf(grant)),
      );
      return leads ? 'way' : 'not';
    },
  };
}
