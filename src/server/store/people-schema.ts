/** The migration of accounts with roles, grants, tokens and the whole audit log. */
export const peopleSchema = `
  ALTER TABLE accounts ADD COLUMN role text NOT NULL DEFAULT 'administrator',
    ADD COLUMN disabled boolean NOT NULL DEFAULT false, ADD COLUMN subject text UNIQUE, ADD COLUMN last_sign_in timestamptz,
    ALTER COLUMN password_hash DROP NOT NULL;
  ALTER TABLE accounts ALTER COLUMN role DROP DEFAULT;
  CREATE TABLE sign_in_failures (
    subject text PRIMARY KEY, failures integer NOT NULL, open_at timestamptz NOT NULL, last_at timestamptz NOT NULL);

  CREATE TABLE grants (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text REFERENCES accounts ON DELETE CASCADE,
    cloud text NOT NULL REFERENCES clouds ON DELETE CASCADE, object text, effect text NOT NULL, rights text[] NOT NULL,
    created_by text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX grants_account ON grants (account);
  CREATE TABLE job_places (
    job text PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, account text NOT NULL, runner text NOT NULL,
    source_cloud text NOT NULL, source text[] NOT NULL, destination_cloud text NOT NULL, destination text[] NOT NULL);

  CREATE TABLE tokens (
    id text PRIMARY KEY, hash text NOT NULL UNIQUE, account text NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name text NOT NULL, scope text NOT NULL, clouds text[], created_at timestamptz NOT NULL DEFAULT now(),
    expires timestamptz NOT NULL, last_used_at timestamptz, last_address text, UNIQUE (account, name));

  DROP RULE audit_keep ON audit;
  DROP RULE audit_stay ON audit;
  ALTER TABLE audit ADD COLUMN address text, ADD COLUMN via text, ADD COLUMN outcome text DEFAULT 'done';
  ALTER TABLE audit ALTER COLUMN outcome DROP DEFAULT;
  CREATE INDEX audit_at ON audit (at);
  CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'UPDATE' AND OLD.outcome IS NULL AND NEW.outcome IS NOT NULL
       AND (NEW.number, NEW.at, NEW.action) = (OLD.number, OLD.at, OLD.action) THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'the audit log is only added to';
  END $$;
  CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stays();
  CREATE TRIGGER audit_stays_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
`;
