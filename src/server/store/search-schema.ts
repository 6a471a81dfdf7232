/**
 * What search looks at, one row an object. Its texts are folded (`src/server/search/fold.ts`), so no collation of the
 * database decides what is found.
 * - `words`: a line for each field, see `src/server/search/row.ts`.
 * - `marks`: hashes of what is looked for as a whole: the cloud, everything that holds the object and itself, kind, power.
 */
export const searchSchema = `
  CREATE TABLE search (
    cloud text NOT NULL REFERENCES clouds ON DELETE CASCADE, id text NOT NULL,
    name text COLLATE "C" NOT NULL, words text COLLATE "C" NOT NULL, marks bigint[] NOT NULL, PRIMARY KEY (cloud, id));
  CREATE INDEX search_name ON search (name, cloud, id);
`;
