import type { Accounts } from '../people/accounts.ts';
import type { Grants } from '../people/grants.ts';
import type { Sight } from '../people/sight.ts';
import { type Tenants, tenantFor } from '../people/tenants.ts';
import type { Tokens } from '../people/tokens.ts';
import type { SignIns } from '../sign-ins.ts';
import { readAudit } from '../store/audit.ts';
import type { Database } from '../store/database.ts';
import type { Handlers } from './bind.ts';

type OfAccounts = 'listAccounts' | 'createAccount' | 'changeAccount' | 'resetPassword' | 'deleteAccount';
type OfGrants = 'listGrants' | 'addGrant' | 'removeGrant';
type OfTenants = 'listTenants' | 'createTenant' | 'deleteTenant';
type OfTokens = 'createToken' | 'listTokens' | 'revokeToken';

/** Accounts, what they may do, their tokens, and the log of what they did. */
export function peopleRoutes(options: {
  accounts: Accounts;
  grants: Grants;
  tokens: Tokens;
  tenants: Tenants;
  signIns: SignIns;
  database: Database;
}): Pick<Handlers, OfAccounts | OfGrants | OfTenants | OfTokens | 'listAudit'> {
  const { accounts, grants, tokens, tenants, signIns, database } = options;
  /** Of a tenant's administrator: only its accounts. */
  const theirs = async (account: string, sight: Sight) => (await accounts.get(account, sight.rights.who.tenant)).id;
  return {
    listAccounts: async ({ sight }) => ({ accounts: await accounts.list(sight.rights.who.tenant) }),
    async createAccount({ body: { name, role, password, tenant }, sight }) {
      return accounts.create(name, role, password, await tenantFor(sight, tenant, tenants));
    },
    changeAccount: async ({ parameters, body, sight }) =>
      accounts.change(await theirs(parameters.account, sight), body),
    async resetPassword({ parameters, body, sight }) {
      await accounts.resetPassword(await theirs(parameters.account, sight), body.password);
      return {};
    },
    async deleteAccount({ parameters, sight }) {
      const account = await theirs(parameters.account, sight);
      await signIns.refuseWhileUsed(account);
      await accounts.delete(account);
      await signIns.drop(account);
      return {};
    },
    listGrants: async ({ query, sight }) => ({ grants: await grants.list(sight, query.account) }),
    addGrant: async ({ body, sight, user }) => grants.add(body, sight, user),
    async removeGrant({ parameters, sight }) {
      await grants.remove(parameters.grant, sight);
      return {};
    },
    listTenants: async () => ({ tenants: await tenants.list() }),
    createTenant: async ({ body }) => tenants.create(body.name),
    async deleteTenant({ parameters }) {
      await tenants.delete(parameters.tenant);
      return {};
    },
    createToken: async ({ body, signed, sight }) => tokens.create(body, signed, sight),
    listTokens: async ({ sight }) => ({ tokens: await tokens.list(sight) }),
    async revokeToken({ parameters, sight }) {
      await tokens.revoke(parameters.token, sight);
      return {};
    },
    async listAudit({ query, sight }) {
      const rows = await readAudit(database, { ...query, tenant: sight.rights.who.tenant });
      return {
        entries: rows.map(({ number, at, account, address, via, action, subject, outcome }) => ({
          number,
          at: at.toISOString(),
          account,
          ...(address === null ? {} : { address }),
          ...(via === null ? {} : { via }),
          operation: action,
          object: subject,
          outcome: outcome ?? 'unknown',
        })),
      };
    },
  };
}
