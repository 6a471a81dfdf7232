import type { FaultReport } from '../../model/fault.ts';
import type { OptionValues, Trust } from '../../model/option.ts';
import type { CloudAboutAnswer } from '../../protocol/link.ts';
import type { Database } from './database.ts';

export interface CloudRow {
  id: string;
  name: string;
  driver: string;
  node: string;
  /** Without secrets. */
  options: OptionValues;
  trust: Trust;
  about: CloudAboutAnswer | null;
  /** Why it is not signed in, kept over restarts so that a refused login is not repeated by one. */
  fault: FaultReport | null;
}

export interface SealedSecret {
  id: string;
  name: string;
  sealed: Buffer;
}

const COLUMNS = 'id, name, driver, node, options, trust, about, fault';

export async function readClouds({ query }: Database): Promise<CloudRow[]> {
  return query<CloudRow>(`SELECT ${COLUMNS} FROM clouds ORDER BY name`);
}

export async function readSecrets({ query }: Database, cloud: string): Promise<SealedSecret[]> {
  return query<SealedSecret>('SELECT id, name, sealed FROM secrets WHERE cloud = $1', [cloud]);
}

export async function insertCloud(database: Database, owner: string, row: CloudRow, secrets: SealedSecret[]) {
  await database.transaction(async (query) => {
    await query(
      `INSERT INTO clouds (id, owner, name, driver, node, options, trust, about) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [row.id, owner, row.name, row.driver, row.node, row.options, row.trust, row.about],
    );
    for (const { id, name, sealed } of secrets) {
      await query('INSERT INTO secrets (id, cloud, name, sealed) VALUES ($1, $2, $3, $4)', [id, row.id, name, sealed]);
    }
  });
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
