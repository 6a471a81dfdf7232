/** Groups of accounts inside one installation, with nodes and clouds of their own. */
import { z } from 'zod';
import { type ApiOperation, nothing } from './operation.ts';

export const TenantSchema = z.object({
  id: z.string(),
  name: z.string(),
  createdAt: z.string(),
  /** How many it has. */
  accounts: z.number(),
  nodes: z.number(),
  clouds: z.number(),
});
export type TenantView = z.infer<typeof TenantSchema>;

/** The names of its accounts end with `@` and it. */
export const TenantNameSchema = z
  .string()
  .min(1)
  .max(31)
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'small letters, digits and - only');

export const tenantsOperations = {
  listTenants: {
    method: 'GET',
    path: '/tenants',
    summary: 'All tenants',
    answer: z.object({ tenants: z.array(TenantSchema) }),
    needs: 'administrator',
  },
  createTenant: {
    method: 'POST',
    path: '/tenants',
    summary: 'Make a tenant; its first administrator is an account that is made in it',
    body: z.object({ name: TenantNameSchema }),
    answer: TenantSchema,
    needs: 'administrator',
    audit: ['name'],
  },
  deleteTenant: {
    method: 'DELETE',
    path: '/tenants/:tenant',
    summary: 'Delete a tenant in which nothing is left',
    answer: nothing,
    needs: 'administrator',
  },
} as const satisfies Record<string, ApiOperation>;
