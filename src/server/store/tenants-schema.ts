/**
 * The migration of tenants, and of clouds to which people sign in with their own accounts. Rows of nodes, clouds and jobs
 * say by `owner` whose they are: the installation's own id, or a tenant's. A person's sign-in to a cloud is a row of
 * `clouds` too, with a session, an inventory and secrets of its own; `base` is the cloud.
 */
export const tenantsSchema = `
  CREATE TABLE tenants (id text PRIMARY KEY, name text NOT NULL UNIQUE, created_at timestamptz NOT NULL DEFAULT now());
  ALTER TABLE accounts ADD COLUMN tenant text REFERENCES tenants;
  ALTER TABLE join_tokens ADD COLUMN owner text;
  ALTER TABLE audit ADD COLUMN tenant text;
  CREATE INDEX audit_tenant ON audit (tenant, number);
  ALTER TABLE nodes DROP CONSTRAINT nodes_name_key;
  CREATE UNIQUE INDEX nodes_name ON nodes (owner, name);

  ALTER TABLE clouds DROP CONSTRAINT clouds_name_key, ADD COLUMN sign_in text NOT NULL DEFAULT 'shared',
    ADD COLUMN base text REFERENCES clouds ON DELETE CASCADE, ADD COLUMN account text REFERENCES accounts ON DELETE CASCADE;
  CREATE UNIQUE INDEX clouds_name ON clouds (owner, name) WHERE base IS NULL;
`;
