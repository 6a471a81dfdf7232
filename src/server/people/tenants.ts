import { randomUUID } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import type { TenantView } from '../../protocol/api/tenants.ts';
import type { Database } from '../store/database.ts';
import { deleteTenant, findTenant, insertTenant, readTenants, type TenantRow } from '../store/tenants.ts';
import type { Sight } from './sight.ts';

/** Groups of accounts with nodes and clouds of their own, which know nothing of each other. */
export interface Tenants {
  list(): Promise<TenantView[]>;
  /** By id or name. Fault `object.missing`. */
  get(tenant: string): Promise<{ id: string; name: string }>;
  /** Fault `object.exists`. */
  create(name: string): Promise<TenantView>;
  /** Faults: `object.missing`, `object.in-use`: there is still something in it. */
  delete(tenant: string): Promise<void>;
}

export function createTenants(database: Database): Tenants {
  const get = async (tenant: string): Promise<TenantRow> => {
    const row = await findTenant(database, tenant);
    if (row === null) throw new Fault('object.missing', `there is no tenant "${tenant}"`);
    return row;
  };
  return {
    get,
    list: async () => (await readTenants(database)).map(viewOf),
    async create(name) {
      const id = randomUUID();
      if (await insertTenant(database, id, name)) return viewOf(await get(id));
      throw new Fault('object.exists', `there is a tenant "${name}", or an account whose name ends with "@${name}"`);
    },
    async delete(tenant) {
      const { id, name, accounts, nodes, clouds } = await get(tenant);
      if (await deleteTenant(database, id)) return;
      throw new Fault(
        'object.in-use',
        `the tenant ${name} still has ${accounts} accounts, ${nodes} nodes and ${clouds} clouds`,
        { remedy: 'Remove its clouds, then its nodes, then its accounts.' },
      );
    },
  };
}

function viewOf({ id, name, created_at, accounts, nodes, clouds }: TenantRow): TenantView {
  return { id, name, createdAt: created_at.toISOString(), accounts, nodes, clouds };
}

/** In which tenant whoever asks makes something: in his own, or, as an administrator of the installation, in any or none. */
export async function tenantFor({ rights }: Sight, named: string | undefined, tenants: Tenants) {
  const { tenant, user } = rights.who;
  if (tenant === null) return named === undefined ? null : tenants.get(named);
  const own = await tenants.get(tenant);
  if (named === undefined || named === own.id || named === own.name) return own;
  throw new Fault('auth.forbidden', `${user} may make something in the tenant ${own.name} only`);
}
