import { Fault } from '../../model/fault.ts';
import { joinPath, parseCloudPath } from '../../model/path.ts';
import { type Effect, RIGHTS, type Right } from '../../model/rights.ts';
import type { GrantView } from '../../protocol/api/grants.ts';
import type { Clouds } from '../clouds.ts';
import { onlyOne } from '../objects.ts';
import { partsOfId } from '../sign-in-id.ts';
import type { Database } from '../store/database.ts';
import { deleteGrant, type GrantRow, insertGrant, readGrants } from '../store/grants.ts';
import { objectById } from '../store/objects.ts';
import type { Accounts } from './accounts.ts';
import type { Rights } from './rights.ts';
import type { Sight } from './sight.ts';

export interface Grants {
  /** All, or those of one account, for an administrator; else those that hold for oneself, in clouds that are seen. */
  list(sight: Sight, account?: string): Promise<GrantView[]>;
  /** Faults: `object.missing`, `object.ambiguous`, `input.invalid`. */
  add(
    grant: { account: string | null; at: string; effect: Effect; rights: Right[] },
    sight: Sight,
    by: string,
  ): Promise<GrantView>;
  /** Fault `object.missing`, also for one of another tenant. */
  remove(number: string, sight: Sight): Promise<void>;
}

export function createGrants(database: Database, clouds: Pick<Clouds, 'list'>, accounts: Accounts): Grants {
  const viewOf = async (row: GrantRow): Promise<GrantView> => {
    const object = row.object === null ? null : await objectById(database, row.cloud, row.object);
    return {
      number: row.number,
      account: row.account_name,
      cloud: clouds.list().find(({ id }) => id === row.cloud)?.name ?? row.cloud,
      ...(row.object === null ? {} : { object: row.object }),
      ...(object === null ? {} : { path: joinPath(object.names) }),
      effect: row.effect,
      rights: row.rights,
      createdBy: row.created_by,
      createdAt: row.created_at.toISOString(),
    };
  };
  return {
    async list(sight, account) {
      const { rights } = sight;
      const { tenant } = rights.who;
      const whose = rights.manages
        ? account === undefined
          ? undefined
          : (await accounts.get(account, tenant)).id
        : rights.who.account;
      const rows = await readGrants(database, whose);
      const told = rights.manages
        ? rows.filter(({ cloud }) => isOf(rights, cloud))
        : rows.filter(({ cloud, object, above }) =>
            rights.may('see', cloud, object === null ? [] : [...above.toReversed(), object]),
          );
      return Promise.all(told.map(viewOf));
    },
    async add({ account, at, effect, rights }, sight, by) {
      const whose = account === null ? null : await accounts.get(account, sight.rights.who.tenant);
      const { cloud: seen, names, objects } = await findPlace(sight, at);
      const { cloud } = partsOfId(seen);
      const { tenant = null } = clouds.list().find(({ id }) => id === cloud) ?? {};
      if (whose !== null && whose.tenant !== null && whose.tenant !== tenant) {
        throw new Fault('input.invalid', `${whose.name} is of another tenant than "${at}"`, {
          remedy: 'What is granted to an account of a tenant lies in a cloud of the same tenant.',
        });
      }
      const whole = names.length === 0 && objects.length === 0;
      const object = whole ? null : onlyOne(objects, at).id;
      const wanted = effect === 'allow' ? new Set<Right>(['see', ...rights]) : new Set(rights);
      return viewOf(
        await insertGrant(database, {
          account: whose?.id ?? null,
          cloud,
          object,
          effect,
          rights: RIGHTS.filter((right) => wanted.has(right)),
          created_by: by,
        }),
      );
    },
    async remove(number, { rights }) {
      const grant = (await readGrants(database)).find((row) => String(row.number) === number);
      const mine = grant !== undefined && isOf(rights, grant.cloud);
      if (mine && (await deleteGrant(database, grant.number))) return;
      throw new Fault('object.missing', `there is no grant ${number}`, { remedy: 'List them: cloudspan grants list' });
    },
  };
}

/** Whether the cloud belongs to what is administered. */
function isOf({ who }: Rights, cloud: string): boolean {
  return who.clouds === null || who.clouds.includes(cloud);
}

/** A cloud as a whole is known to whoever sees it, also where only those who sign in to it see what is in it. */
async function findPlace(sight: Sight, at: string) {
  const { cloud, names, id } = parseCloudPath(at);
  if (names.length === 0 && id === undefined) return { cloud: sight.clouds.get(cloud).id, names: [], objects: [] };
  return sight.objects.find(at);
}
