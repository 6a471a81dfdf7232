import type { Auth } from '../auth.ts';
import type { Clouds } from '../clouds.ts';
import type { Nodes } from '../nodes.ts';
import { accountRoutes } from '../routes/account.ts';
import { peopleRoutes } from '../routes/people.ts';
import type { Database } from '../store/database.ts';
import { createAccounts } from './accounts.ts';
import { createGrants } from './grants.ts';
import { createGuard } from './guard.ts';
import { createSights } from './sight.ts';
import { createTokens } from './tokens.ts';
import { createTrail } from './trail.ts';

/** Who may sign in, what they see and may do, and the log of what they did. */
export function openPeople({
  database,
  auth,
  clouds,
  nodes,
}: {
  database: Database;
  auth: Auth;
  clouds: Clouds;
  nodes: Nodes;
}) {
  const accounts = createAccounts(database);
  const grants = createGrants(database, clouds, accounts);
  const tokens = createTokens(database, clouds);
  const sights = createSights(database, clouds);
  return {
    sights,
    door: { auth, guard: createGuard(database, sights), trail: createTrail(database, clouds, nodes) },
    routes: {
      ...accountRoutes(auth, accounts, database),
      ...peopleRoutes({ accounts, grants, tokens, database }),
    },
  };
}
