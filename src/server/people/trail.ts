import { joinPath } from '../../model/path.ts';
import type { ApiOperation } from '../../protocol/api/operation.ts';
import type { Signed } from '../auth.ts';
import type { Clouds } from '../clouds.ts';
import type { Nodes } from '../nodes.ts';
import { findAccount } from '../store/accounts.ts';
import { beginAudit, endAudit } from '../store/audit.ts';
import type { Database } from '../store/database.ts';
import { objectById } from '../store/objects.ts';

const LONGEST = 500;

/** One action on its way; whoever knows better may still change whose it is. */
export interface Entry {
  account: string;
  /** @param outcome `done`, or the code of the fault. @param answer Tells the number of what was made. */
  end(outcome: string, answer?: unknown): Promise<void>;
}

/** The audit log of the API: every action is written down before it begins, and its outcome once after it. */
export interface Trail {
  begin(
    name: string,
    operation: ApiOperation,
    asked: { parameters: Record<string, string>; body: unknown },
    who: { signed: Signed | null; address: string },
  ): Promise<Entry>;
}

export function createTrail(database: Database, clouds: Pick<Clouds, 'list'>, nodes: Pick<Nodes, 'list'>): Trail {
  const nameIn = (list: { id: string; name: string }[], named: string) =>
    list.find(({ id, name }) => id === named || name === named);

  /** Names beside ids, as far as they can be told: people read it years later. */
  const words = async (
    key: string,
    value: string,
    parameters: Record<string, string>,
    tenant: string | null,
  ): Promise<string> => {
    // What another tenant has is not even named where somebody guessed its id: the tenant's own administrators read this.
    const own = <View extends { tenant?: string | undefined }>(list: View[]) =>
      tenant === null ? list : list.filter((one) => one.tenant === tenant);
    if (key === 'cloud') return nameIn(own(clouds.list()), value)?.name ?? value;
    if (key === 'node') return nameIn(own(nodes.list()), value)?.name ?? value;
    if (key === 'account') {
      const account = await findAccount(database, value);
      return account === null || (tenant !== null && account.tenant !== tenant) ? value : account.name;
    }
    if (key !== 'object') return value;
    const cloud = nameIn(own(clouds.list()), parameters.cloud ?? '');
    const object = cloud === undefined ? null : await objectById(database, cloud.id, value);
    return object === null ? value : `${value} (${joinPath(object.names)})`;
  };
  const subjectOf = async (
    { audit }: ApiOperation,
    parameters: Record<string, string>,
    body: unknown,
    tenant: string | null,
  ) => {
    const named = Object.entries(parameters).map(
      async ([key, value]) => `${key} ${await words(key, value, parameters, tenant)}`,
    );
    const fields = Object.entries((body ?? {}) as Record<string, unknown>)
      .filter(([key, value]) => audit !== false && audit?.includes(key) === true && value !== undefined)
      .map(([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
    return [...(await Promise.all(named)), ...fields].join(', ').slice(0, LONGEST);
  };

  return {
    async begin(name, operation, { parameters, body }, { signed, address }) {
      const tenant = signed?.tenant ?? null;
      const subject = await subjectOf(operation, parameters, body, tenant);
      const account = signed?.user ?? '';
      const via = signed?.via ?? null;
      const number = await beginAudit(database, { account, address, via, action: name, subject, tenant });
      const entry: Entry = {
        account,
        async end(outcome, answer) {
          const made = (answer as { number?: unknown } | undefined)?.number;
          const end =
            typeof made === 'number' ? [subject, `number ${made}`].filter((part) => part !== '').join(', ') : subject;
          await endAudit(database, number, { account: entry.account, subject: end, outcome });
        },
      };
      return entry;
    },
  };
}
