import type { FaultReport } from '../../model/fault.ts';
import type { OptionValues, Trust } from '../../model/option.ts';
import type { CloudCheck } from '../../protocol/cloud-check.ts';
import type { CloudAboutAnswer } from '../../protocol/link.ts';
import type { Database, Query } from './database.ts';

/** What a cloud said of itself at its last sign-in, with what its last check found. */
export type KnownAbout = CloudAboutAnswer & { checked?: CloudCheck };

export interface CloudRow {
  /** Of a person's sign-in as `sign-in-id.ts` makes it. */
  id: string;
  /** The installation's id, or a tenant's. */
  owner: string;
  name: string;
  driver: string;
  node: string;
  /** Without secrets. */
  options: OptionValues;
  trust: Trust;
  about: KnownAbout | null;
  /** Why it is not signed in, kept over restarts so that a refused login is not repeated by one. */
  fault: FaultReport | null;
  /**
   * `shared`: one account for everybody. `own`: everybody uses their own, and one more keeps watch. `own-only`: there is no
   * account but those of people.
   */
  sign_in: 'shared' | 'own' | 'own-only';
  /** Of a person's sign-in: the cloud, and the account here. Else null. */
  base: string | null;
  account: string | null;
}

export interface SealedSecret {
  id: string;
  name: string;
  sealed: Buffer;
}

const COLUMNS = 'id, owner, name, driver, node, options, trust, about, fault, sign_in, base, account';

export async function readClouds({ query }: Database): Promise<CloudRow[]> {
  return query<CloudRow>(`SELECT ${COLUMNS} FROM clouds ORDER BY base NULLS FIRST, name`);
}

export async function readSecrets({ query }: Database, cloud: string): Promise<SealedSecret[]> {
  return query<SealedSecret>('SELECT id, name, sealed FROM secrets WHERE cloud = $1', [cloud]);
}

export async function insertCloud(database: Database, row: CloudRow, secrets: SealedSecret[]) {
  await database.transaction(async (query) => {
    await query(
      `INSERT INTO clouds (id, owner, name, driver, node, options, trust, about, sign_in)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [row.id, row.owner, row.name, row.driver, row.node, row.options, row.trust, row.about, row.sign_in],
    );
    await insertSecrets(query, row.id, secrets);
  });
}

async function insertSecrets(query: Query, cloud: string, secrets: SealedSecret[]): Promise<void> {
  for (const { id, name, sealed } of secrets) {
    await query('INSERT INTO secrets (id, cloud, name, sealed) VALUES ($1, $2, $3, $4)', [id, cloud, name, sealed]);
  }
}

/** Takes the place of what the person signed in with before. */
export async function putSignIn(database: Database, row: CloudRow, secrets: SealedSecret[]): Promise<void> {
  await database.transaction(async (query) => {
    await query(
      `INSERT INTO clouds (id, owner, name, driver, node, options, trust, about, sign_in, base, account)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
       ON CONFLICT (id) DO UPDATE SET options = $6, trust = $7, about = $8, fault = NULL`,
      [
        ...[row.id, row.owner, row.name, row.driver, row.node, row.options, row.trust, row.about],
        ...[row.sign_in, row.base, row.account],
      ],
    );
    await query('DELETE FROM secrets WHERE cloud = $1', [row.id]);
    await insertSecrets(query, row.id, secrets);
  });
}

export async function readSignIns({ query }: Database, account: string): Promise<Pick<CloudRow, 'id' | 'name'>[]> {
  return query<Pick<CloudRow, 'id' | 'name'>>('SELECT id, name FROM clouds WHERE account = $1', [account]);
}

export async function writeCloudState({ query }: Database, row: CloudRow): Promise<void> {
  await query('UPDATE clouds SET about = $2, fault = $3 WHERE id = $1', [row.id, row.about, row.fault]);
}

export async function writeTrust({ query }: Database, cloud: string, trust: Trust): Promise<void> {
  await query('UPDATE clouds SET trust = $2, fault = NULL WHERE id = $1', [cloud, trust]);
}

export async function deleteCloud({ query }: Database, cloud: string): Promise<void> {
  await query('DELETE FROM clouds WHERE id = $1', [cloud]);
}
