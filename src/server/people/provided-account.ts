import { randomUUID } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import { ROLES, type Role } from '../../model/rights.ts';
import { AccountNameSchema } from '../../protocol/api/accounts.ts';
import type { Provider } from '../../protocol/api/provider.ts';
import { type AccountRow, changeAccount, findBySubject, insertAccount } from '../store/accounts.ts';
import type { Database } from '../store/database.ts';
import type { Claims } from './provider.ts';

/**
 * The account of somebody whom the provider knows, made at the first sign-in; known again by issuer and subject, never by
 * name, so that nobody takes over an account by a name at the provider. Its role follows the claim. Faults: `auth.refused`:
 * no claim gives a role, or the account is disabled; `object.exists`: the name is somebody else's.
 */
export async function providedAccount(database: Database, provider: Provider, claims: Claims): Promise<AccountRow> {
  const subject = `${claims.iss} ${claims.sub}`;
  const name = nameOf(provider, claims);
  const role = roleOf(provider, claims);
  if (role === null) {
    throw new Fault('auth.refused', `${name} signed in at ${provider.issuer}, but no claim gives a role here`, {
      remedy: `An administrator maps a value of the claim "${provider.rolesClaim ?? ''}" to a role, or gives a default.`,
    });
  }
  const known = await findBySubject(database, subject);
  if (known === null) {
    const row = { id: randomUUID(), name, role, password_hash: null, subject };
    if (!(await insertAccount(database, row))) {
      throw new Fault('object.exists', `${name} of ${provider.issuer} would have the name of another account`, {
        remedy: 'An administrator deletes that account, or has the provider give another name.',
      });
    }
  } else {
    if (known.disabled) throw new Fault('auth.refused', `the account of ${known.name} is disabled`);
    if (known.role !== role) await changeAccount(database, known.id, { role });
  }
  const account = await findBySubject(database, subject);
  if (account === null) throw new Fault('auth.refused', `the account of ${name} is gone again`);
  return account;
}

/** Null where no value fits and there is no default. */
export function roleOf({ rolesClaim, roles, defaultRole }: Provider, claims: Claims): Role | null {
  const claim = rolesClaim === undefined ? undefined : claims[rolesClaim];
  const values = (Array.isArray(claim) ? claim : [claim]).filter((value) => typeof value === 'string');
  const given = values.filter((value) => Object.hasOwn(roles, value)).map((value) => roles[value]);
  return ROLES.find((role) => given.includes(role)) ?? defaultRole;
}

function nameOf({ nameClaim }: Provider, claims: Claims): string {
  for (const claim of [claims[nameClaim], claims.email, claims.sub]) {
    const parsed = AccountNameSchema.safeParse(claim);
    if (parsed.success) return parsed.data;
  }
  throw new Fault('auth.refused', `the provider gives no name in the claim "${nameClaim}" that can be one here`, {
    remedy: 'An administrator names another claim.',
  });
}
