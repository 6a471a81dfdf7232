import type { Auth } from '../auth.ts';
import type { Clouds } from '../clouds.ts';
import type { Nodes } from '../nodes.ts';
import { accountRoutes } from '../routes/account.ts';
import { peopleRoutes } from '../routes/people.ts';
import { providerRoutes } from '../routes/provider.ts';
import { createSignIns } from '../sign-ins.ts';
import type { Database } from '../store/database.ts';
import type { Vault } from '../vault.ts';
import { createAccounts } from './accounts.ts';
import { createGrants } from './grants.ts';
import { createGuard } from './guard.ts';
import { createProvider } from './provider.ts';
import { createSights } from './sight.ts';
import { createTenants } from './tenants.ts';
import { createTerminalSignIn } from './terminal-sign-in.ts';
import { createTokens } from './tokens.ts';
import { createTrail } from './trail.ts';

/** Who may sign in, what they see and may do, and the log of what they did. */
export function openPeople({
  database,
  auth,
  clouds,
  nodes,
  vault,
}: {
  database: Database;
  auth: Auth;
  clouds: Clouds;
  nodes: Nodes;
  vault: Vault;
}) {
  const accounts = createAccounts(database);
  const grants = createGrants(database, clouds, accounts);
  const tokens = createTokens(database, clouds);
  const sights = createSights(database, clouds, nodes);
  const tenants = createTenants(database);
  const signIns = createSignIns({ database, nodes, clouds, vault });
  const provider = createProvider(database, vault);
  return {
    sights,
    tenants,
    signIns,
    provider,
    door: { auth, guard: createGuard(database, sights), trail: createTrail(database, clouds, nodes) },
    routes: {
      ...accountRoutes(auth, accounts, tenants, database),
      ...providerRoutes(provider, createTerminalSignIn({ provider, auth, database, vault })),
      ...peopleRoutes({ accounts, grants, tokens, tenants, signIns, database }),
    },
  };
}
