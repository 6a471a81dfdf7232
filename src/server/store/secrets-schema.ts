/**
 * The migration of secrets and certificates: the vault's data keys, each sealed by the master key that `master` names (an
 * id, no secret), and what certificate a cloud showed when it was confirmed, and shows now.
 */
export const secretsSchema = `
  CREATE TABLE vault_keys (
    generation integer PRIMARY KEY, master text NOT NULL, sealed_key bytea NOT NULL, at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE cloud_certificates (
    cloud text PRIMARY KEY REFERENCES clouds ON DELETE CASCADE, confirmed jsonb, seen jsonb);
`;
