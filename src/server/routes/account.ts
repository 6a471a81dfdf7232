import type { Auth } from '../auth.ts';
import type { Accounts } from '../people/accounts.ts';
import type { Tenants } from '../people/tenants.ts';
import { findAccount } from '../store/accounts.ts';
import type { Database } from '../store/database.ts';
import { VERSION } from '../version.ts';
import type { Handlers } from './bind.ts';

type Names = 'login' | 'logout' | 'me' | 'changePassword' | 'health';

/** People type passwords into the field of the name: only names that somebody has are written down. */
const NOBODY = '(unknown)';

export function accountRoutes(
  auth: Auth,
  accounts: Accounts,
  tenants: Tenants,
  database: Database,
): Pick<Handlers, Names> {
  return {
    async login({ body, address, record, setSession }) {
      const known = await findAccount(database, body.user);
      record(known?.name === body.user ? known.name : NOBODY);
      const session = await auth.login(body.user, body.password, address);
      setSession(session);
      return session;
    },
    async logout({ token, setSession }) {
      await auth.logout(token);
      setSession(null);
      return {};
    },
    async me({ signed: { user, role, tenant, scope } }) {
      const of = tenant === null ? {} : { tenant: (await tenants.get(tenant)).name };
      return { user, version: VERSION, role, ...of, scope };
    },
    async changePassword({ signed, body, address, setSession }) {
      await accounts.changePassword(signed.account, body, address);
      setSession(null);
      return {};
    },
    async health() {
      await database.query('SELECT 1');
      return { ready: true };
    },
  };
}
