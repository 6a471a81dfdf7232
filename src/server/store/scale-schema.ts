/** Moves, and what decides when a job starts: groups, the queue, and the slots of what runs. */
export const scaleSchema = `
  CREATE TABLE moves (
    job text PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, owner text NOT NULL, object text NOT NULL, version text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(), back boolean NOT NULL DEFAULT false, deleting boolean NOT NULL DEFAULT false, deleter text,
    deleted_at timestamptz, delete_at timestamptz, refusal text, refused_at timestamptz);
  CREATE TABLE job_groups (
    id text PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY UNIQUE, owner text NOT NULL, account text NOT NULL,
    name text NOT NULL, concurrency integer, on_failure text NOT NULL,
    ready boolean NOT NULL DEFAULT false, created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE job_queue (
    job text PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, owner text NOT NULL,
    job_group text REFERENCES job_groups, wave integer NOT NULL DEFAULT 1, keys text[] NOT NULL,
    window_paused boolean NOT NULL DEFAULT false);
  CREATE INDEX job_queue_group ON job_queue (job_group);
  CREATE TABLE slots (
    job text NOT NULL REFERENCES jobs ON DELETE CASCADE, attempt integer NOT NULL, key text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job, key));
  CREATE INDEX slots_key ON slots (key);
`;
