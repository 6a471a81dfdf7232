import type { Auth } from '../auth.ts';
import type { Database } from '../store/database.ts';
import { audit } from '../store/settings.ts';
import { VERSION } from '../version.ts';
import type { Handlers } from './bind.ts';

export function accountRoutes(auth: Auth, database: Database): Pick<Handlers, 'login' | 'logout' | 'me' | 'health'> {
  return {
    async login({ body, setSession }) {
      const session = await auth.login(body.user, body.password);
      await audit(database, session.user, 'sign in', '');
      setSession(session);
      return session;
    },
    async logout({ token, setSession }) {
      await auth.logout(token);
      setSession(null);
      return {};
    },
    async me({ user }) {
      return { user, version: VERSION };
    },
    async health() {
      await database.query('SELECT 1');
      return { ready: true };
    },
  };
}
