import type { Accounts } from '../people/accounts.ts';
import type { Grants } from '../people/grants.ts';
import type { Tokens } from '../people/tokens.ts';
import { readAudit } from '../store/audit.ts';
import type { Database } from '../store/database.ts';
import type { Handlers } from './bind.ts';

type OfAccounts = 'listAccounts' | 'createAccount' | 'changeAccount' | 'resetPassword' | 'deleteAccount';
type OfGrants = 'listGrants' | 'addGrant' | 'removeGrant';
type OfTokens = 'createToken' | 'listTokens' | 'revokeToken';

/** Accounts, what they may do, their tokens, and the log of what they did. */
export function peopleRoutes(options: {
  accounts: Accounts;
  grants: Grants;
  tokens: Tokens;
  database: Database;
}): Pick<Handlers, OfAccounts | OfGrants | OfTokens | 'listAudit'> {
  const { accounts, grants, tokens, database } = options;
  return {
    listAccounts: async () => ({ accounts: await accounts.list() }),
    createAccount: async ({ body }) => accounts.create(body.name, body.role, body.password),
    changeAccount: async ({ parameters, body }) => accounts.change(parameters.account, body),
    async resetPassword({ parameters, body }) {
      await accounts.resetPassword(parameters.account, body.password);
      return {};
    },
    async deleteAccount({ parameters }) {
      await accounts.delete(parameters.account);
      return {};
    },
    listGrants: async ({ query, sight }) => ({ grants: await grants.list(sight, query.account) }),
    addGrant: async ({ body, sight, user }) => grants.add(body, sight, user),
    async removeGrant({ parameters }) {
      await grants.remove(parameters.grant);
      return {};
    },
    createToken: async ({ body, signed, sight }) => tokens.create(body, signed, sight),
    listTokens: async ({ sight }) => ({ tokens: await tokens.list(sight) }),
    async revokeToken({ parameters, sight }) {
      await tokens.revoke(parameters.token, sight);
      return {};
    },
    async listAudit({ query }) {
      const rows = await readAudit(database, query);
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
