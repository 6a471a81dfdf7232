import type { Query } from './database.ts';
import { peopleSchema } from './people-schema.ts';
import { scaleSchema } from './scale-schema.ts';
import { searchSchema } from './search-schema.ts';
import { secretsSchema } from './secrets-schema.ts';
import { serversSchema } from './servers-schema.ts';
import { tenantsSchema } from './tenants-schema.ts';

/** Forward only: a released entry is never changed, a new one is put at the end. */
const migrations: readonly string[] = [
  `
  CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL);

  CREATE TABLE accounts (
    id text PRIMARY KEY, name text NOT NULL UNIQUE, password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE sessions (
    hash text PRIMARY KEY, account text NOT NULL REFERENCES accounts ON DELETE CASCADE, expires timestamptz NOT NULL);

  CREATE TABLE nodes (
    id text PRIMARY KEY, owner text NOT NULL, name text NOT NULL UNIQUE, pin text NOT NULL UNIQUE, certificate text NOT NULL,
    link text NOT NULL, public boolean NOT NULL, address text, about jsonb,
    joined_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE join_tokens (
    hash text PRIMARY KEY, created_by text NOT NULL, expires timestamptz NOT NULL, used_at timestamptz);

  CREATE TABLE clouds (
    id text PRIMARY KEY, owner text NOT NULL, name text NOT NULL UNIQUE, driver text NOT NULL,
    node text NOT NULL REFERENCES nodes, options jsonb NOT NULL, trust jsonb NOT NULL, about jsonb, fault jsonb,
    created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE secrets (
    id text PRIMARY KEY, cloud text NOT NULL REFERENCES clouds ON DELETE CASCADE, name text NOT NULL,
    sealed bytea NOT NULL, UNIQUE (cloud, name));

  CREATE TABLE objects (
    cloud text NOT NULL REFERENCES clouds ON DELETE CASCADE, id text NOT NULL, owner text NOT NULL,
    kind text NOT NULL, name text NOT NULL, parent text, data jsonb NOT NULL, PRIMARY KEY (cloud, id));
  CREATE INDEX objects_parent ON objects (cloud, parent, name);
  CREATE INDEX objects_kind ON objects (cloud, kind);

  CREATE TABLE jobs (
    id text PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY UNIQUE, owner text NOT NULL, kind text NOT NULL,
    account text NOT NULL, title text NOT NULL, request jsonb NOT NULL, clouds text[] NOT NULL, marker text NOT NULL,
    state text NOT NULL, attempt integer NOT NULL DEFAULT 1, epoch integer NOT NULL, cancel_wanted boolean NOT NULL DEFAULT false,
    steps jsonb NOT NULL, checks jsonb NOT NULL DEFAULT '[]', progress jsonb, result jsonb, failure jsonb,
    created_at timestamptz NOT NULL DEFAULT now(), started_at timestamptz, ended_at timestamptz);
  CREATE INDEX jobs_state ON jobs (state);
  CREATE TABLE job_log (
    job text NOT NULL REFERENCES jobs ON DELETE CASCADE, number integer NOT NULL, at timestamptz NOT NULL,
    level text NOT NULL, source text NOT NULL, source_number integer, text text NOT NULL, PRIMARY KEY (job, number));
  CREATE UNIQUE INDEX job_log_source ON job_log (job, source, source_number) WHERE source_number IS NOT NULL;

  CREATE TABLE ledger (
    job text NOT NULL REFERENCES jobs ON DELETE CASCADE, id text NOT NULL, owner text NOT NULL, cloud text NOT NULL,
    data jsonb NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (job, id));
  CREATE TABLE receipts (
    job text PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, owner text NOT NULL, data jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now());

  CREATE TABLE audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(),
    account text NOT NULL, action text NOT NULL, subject text NOT NULL);
  CREATE RULE audit_keep AS ON UPDATE TO audit DO INSTEAD NOTHING;
  CREATE RULE audit_stay AS ON DELETE TO audit DO INSTEAD NOTHING;
  `,
  `
  CREATE TABLE limits (
    node text NOT NULL REFERENCES nodes ON DELETE CASCADE, peer text NOT NULL REFERENCES nodes ON DELETE CASCADE,
    owner text NOT NULL, data jsonb NOT NULL, PRIMARY KEY (node, peer));
  ALTER TABLE jobs ADD COLUMN pause_wanted boolean NOT NULL DEFAULT false,
    ADD COLUMN resumed boolean NOT NULL DEFAULT false, ADD COLUMN plan jsonb;
  `,
  'CREATE TABLE storage_keys (node text PRIMARY KEY REFERENCES nodes ON DELETE CASCADE, sealed bytea NOT NULL);',
  peopleSchema,
  `
  ALTER TABLE jobs ADD COLUMN undo jsonb;
  CREATE TABLE made (
    job text PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, owner text NOT NULL, data jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now());
  `,
  `
  CREATE TABLE alarms (
    key text PRIMARY KEY, since timestamptz NOT NULL, data jsonb NOT NULL, acknowledged_by text, acknowledged_at timestamptz);
  CREATE TABLE channels (
    id text PRIMARY KEY, owner text NOT NULL, name text NOT NULL UNIQUE, target jsonb NOT NULL, events text[] NOT NULL,
    sealed bytea);
  CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, channel text NOT NULL REFERENCES channels ON DELETE CASCADE,
    message jsonb NOT NULL, attempts integer NOT NULL DEFAULT 0, next_at timestamptz NOT NULL DEFAULT now(), trouble text,
    created_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX deliveries_next ON deliveries (next_at);
  CREATE TABLE idempotency (
    account text NOT NULL, key text NOT NULL, request text NOT NULL, answer jsonb,
    at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (account, key));
  `,
  tenantsSchema,
  searchSchema,
  scaleSchema,
  secretsSchema,
  serversSchema,
];

/** The advisory lock under which one server at a time migrates. */
const LOCK = 7_213_551;

/** The schema of this release. */
export const LAST_SCHEMA = migrations.length;

export async function schemaNumber({ query }: { query: Query }): Promise<number> {
  const [row] = await query<{ last: number }>('SELECT coalesce(max(number), 0) AS last FROM migrations');
  return row?.last ?? 0;
}

/**
 * Applies what is missing, each entry in a transaction of its own. Fails on a database of a newer release.
 * @param until A backup is put into the schema that it comes from.
 */
export async function migrate(
  transaction: <T>(work: (query: Query) => Promise<T>) => Promise<T>,
  until = LAST_SCHEMA,
): Promise<void> {
  for (let done = false; !done; ) {
    done = await transaction(async (query) => {
      await query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
      await query(
        'CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())',
      );
      const last = await schemaNumber({ query });
      if (last > LAST_SCHEMA) throw new Error(`its schema ${last} is newer than this release (${LAST_SCHEMA})`);
      const next = migrations[last];
      if (next === undefined || last >= until) return true;
      await query(next);
      await query('INSERT INTO migrations (number) VALUES ($1)', [last + 1]);
      return false;
    });
  }
}
