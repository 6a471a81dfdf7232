import { randomUUID } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import type { Role } from '../../model/rights.ts';
import type { AccountView } from '../../protocol/api/accounts.ts';
import {
  type AccountRow,
  changeAccount,
  findAccount,
  insertAccount,
  readAccounts,
  writePassword,
} from '../store/accounts.ts';
import type { Database } from '../store/database.ts';
import { findTenant } from '../store/tenants.ts';
import { createLockout } from './lockout.ts';
import { hashPassword, isPassword, refuseWeak } from './passwords.ts';

/** Where `tenant` (its id) is given, accounts of others are as if they did not exist. */
export interface Accounts {
  list(tenant?: string | null): Promise<AccountView[]>;
  /** By id or name. Fault `object.missing`. */
  get(account: string, tenant?: string | null): Promise<AccountRow>;
  /** Faults: `object.exists`, `input.invalid` (the password). */
  create(
    name: string,
    role: Role,
    password: string,
    tenant?: { id: string; name: string } | null,
  ): Promise<AccountView>;
  /** Faults: `object.missing`, `object.in-use`: no administrator would be left. */
  change(account: string, change: { role?: Role | undefined; disabled?: boolean | undefined }): Promise<AccountView>;
  /** Faults: as `change`. */
  delete(account: string): Promise<void>;
  /** Ends every session of the account. Faults: `auth.refused`, `auth.locked`, `input.invalid`. */
  changePassword(account: string, passwords: { old: string; new: string }, address: string): Promise<void>;
  /** Likewise, without the old one; the account is no longer locked. */
  resetPassword(account: string, password: string): Promise<void>;
}

export function createAccounts(database: Database): Accounts {
  const lockout = createLockout(database);
  const get = async (account: string, tenant: string | null = null): Promise<AccountRow> => {
    const row = await findAccount(database, account);
    if (row === null || (tenant !== null && row.tenant !== tenant))
      throw new Fault('object.missing', `there is no account "${account}"`);
    return row;
  };
  const change = async (row: AccountRow, how: Parameters<typeof changeAccount>[2]): Promise<void> => {
    if (await changeAccount(database, row.id, how)) return;
    throw new Fault('object.in-use', `${row.name} is the last administrator who can sign in with a password`, {
      remedy: 'Make another account an administrator first.',
    });
  };
  return {
    get,
    list: async (tenant = null) => (await readAccounts(database, tenant)).map(viewOf),
    async create(wanted, role, password, tenant = null) {
      const end = tenant === null ? '' : `@${tenant.name}`;
      const name = wanted.endsWith(end) ? wanted : `${wanted}${end}`;
      const of = tenant === null && (await findTenant(database, wanted.slice(wanted.lastIndexOf('@') + 1)));
      if (of !== false && of !== null && wanted.includes('@')) {
        throw new Fault('input.invalid', `names that end with "@${of.name}" are those of the tenant ${of.name}`, {
          remedy: `Make it in the tenant: cloudspan accounts create … --tenant ${of.name}`,
        });
      }
      refuseWeak(password, name);
      const row = {
        ...{ id: randomUUID(), name, role, subject: null },
        password_hash: await hashPassword(password),
        tenant: tenant?.id ?? null,
      };
      if (!(await insertAccount(database, row))) {
        throw new Fault('object.exists', `there is an account "${name}" already`);
      }
      return viewOf(await get(row.id));
    },
    async change(account, { role, disabled }) {
      const row = await get(account);
      if (role === undefined && disabled === undefined) return viewOf(row);
      await change(row, { ...(role === undefined ? {} : { role }), ...(disabled === undefined ? {} : { disabled }) });
      return viewOf(await get(row.id));
    },
    async delete(account) {
      await change(await get(account), 'delete');
    },
    async changePassword(account, passwords, address) {
      const { id, name, password_hash } = await get(account);
      await lockout.attempt(name, address);
      if (!(await isPassword(password_hash, passwords.old))) {
        throw new Fault('auth.refused', `the old password of ${name} is another one`, {
          remedy: 'Type it again; an administrator can set a new one.',
        });
      }
      await lockout.succeeded(name, address);
      refuseWeak(passwords.new, name);
      if (passwords.new === passwords.old) {
        throw new Fault('input.invalid', `the new password of ${name} is the old one`, { remedy: 'Take another one.' });
      }
      await writePassword(database, id, await hashPassword(passwords.new));
    },
    async resetPassword(account, password) {
      const { id, name } = await get(account);
      refuseWeak(password, name);
      await writePassword(database, id, await hashPassword(password));
      await lockout.open(name);
    },
  };
}

function viewOf(row: AccountRow): AccountView {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    disabled: row.disabled,
    ...(row.tenant_name === null ? {} : { tenant: row.tenant_name }),
    signIn: row.password_hash === null ? 'provider' : 'password',
    createdAt: row.created_at.toISOString(),
    ...(row.last_sign_in === null ? {} : { lastSignIn: row.last_sign_in.toISOString() }),
  };
}
