/** Several servers on one database: who is there, which of them does what only one may do, and the keys that all share. */
export const serversSchema = `
  CREATE TABLE servers (
    id text PRIMARY KEY, folder text NOT NULL, host text NOT NULL, address text NOT NULL, version text NOT NULL,
    steward boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT now(), seen_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE leases (name text PRIMARY KEY, holder text NOT NULL, until timestamptz NOT NULL);
  CREATE TABLE server_keys (name text PRIMARY KEY, certificate text NOT NULL, sealed bytea NOT NULL);
  ALTER TABLE jobs ADD COLUMN server text, ADD COLUMN server_at timestamptz;
  CREATE INDEX jobs_server ON jobs (server);
`;
