import { randomBytes, randomUUID } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import type { Scope } from '../../model/rights.ts';
import type { TokenView } from '../../protocol/api/tokens.ts';
import { hashOfToken, type Signed, TOKEN_PREFIX } from '../auth.ts';
import type { Clouds } from '../clouds.ts';
import type { Database } from '../store/database.ts';
import { deleteToken, insertToken, readTokens, type TokenRow, type Whose } from '../store/tokens.ts';
import type { Sight } from './sight.ts';

const DAY_MILLISECONDS = 24 * 3600_000;

export interface Tokens {
  /** The token itself is in this answer only. Faults: `object.exists` (the name), `object.missing` (a cloud). */
  create(
    wanted: { name: string; scope: Scope; clouds?: string[] | undefined; expiresInDays: number },
    signed: Signed,
    sight: Sight,
  ): Promise<TokenView & { token: string }>;
  list(sight: Sight): Promise<TokenView[]>;
  /** By id. Fault `object.missing`, also for somebody else's. */
  revoke(token: string, sight: Sight): Promise<void>;
}

export function createTokens(database: Database, clouds: Pick<Clouds, 'list'>): Tokens {
  const whose = ({ rights: { manages, who } }: Sight): Whose => {
    if (!manages) return { account: who.account };
    return who.tenant === null ? {} : { tenant: who.tenant };
  };
  const viewOf = (row: TokenRow): TokenView => {
    const names = new Map(clouds.list().map(({ id, name }) => [id, name]));
    return {
      id: row.id,
      name: row.name,
      account: row.account_name,
      scope: row.scope,
      ...(row.clouds === null ? {} : { clouds: row.clouds.map((id) => names.get(id) ?? id) }),
      createdAt: row.created_at.toISOString(),
      expires: row.expires.toISOString(),
      ...(row.last_used_at === null ? {} : { lastUsedAt: row.last_used_at.toISOString() }),
      ...(row.last_address === null ? {} : { lastAddress: row.last_address }),
    };
  };
  return {
    async create({ name, scope, clouds: named, expiresInDays }, { account, user }, sight) {
      const id = randomUUID();
      const token = `${TOKEN_PREFIX}${randomBytes(32).toString('base64url')}`;
      const limits = named === undefined ? null : [...new Set(named.map((cloud) => sight.clouds.get(cloud).id))];
      const expires = new Date(Date.now() + expiresInDays * DAY_MILLISECONDS);
      const row = { id, account, name, scope, clouds: limits, expires };
      if (!(await insertToken(database, { ...row, hash: hashOfToken(token) }))) {
        throw new Fault('object.exists', `${user} has a token "${name}" already`, {
          remedy: 'Choose another name, or revoke the old one first.',
        });
      }
      return {
        ...viewOf({ ...row, account_name: user, created_at: new Date(), last_used_at: null, last_address: null }),
        token,
      };
    },
    list: async (sight) => (await readTokens(database, whose(sight))).map(viewOf),
    async revoke(token, sight) {
      if (await deleteToken(database, token, whose(sight))) return;
      throw new Fault('object.missing', `there is no token ${token}`, {
        remedy: 'List them: cloudspan tokens list',
      });
    },
  };
}
