import { createHmac } from 'node:crypto';
import { hostname } from 'node:os';
import { Fault } from '../model/fault.ts';
import type { Database, Query } from './store/database.ts';
import { lockSealed, lockVault, readVaultKeys, type VaultKeyRow, writeVaultKey } from './store/vault.ts';
import * as envelope from './vault/envelope.ts';
import { keyFile, oldKeyFile, readKeyFile, settleKeyFile, writeKeyFile, writeNextKey } from './vault/key-file.ts';

export interface Vault {
  /** Encrypts a secret for the row `id`; it can be opened under that id only. */
  seal(id: string, secret: string): Buffer;
  /** Fault `vault.locked`: another key, another row, or changed bytes. */
  open(id: string, sealed: Buffer): string;
  /**
   * Equal for equal texts, and tells nobody without the key what they were, not even by guessing: `generation:hex`. Those
   * of different generations cannot be compared.
   */
  fingerprint(text: string): string;
  /** Seals what the key file alone has to open, without the database; `key` is the id of that key. */
  sealAlone(id: string, secret: string): Promise<{ sealed: Buffer; key: string }>;
  /**
   * A new master key in `vault.key`, a new data key, and every secret sealed anew under it, in one transaction. Ended by a
   * crash at any step, the next start finds the old state or the new one. The key before stays in a file of its own.
   */
  rotate(): Promise<Rotation>;
  /** Takes the key that another server on this database rotated to, where its file is here. Fault `vault.locked`: it is not. */
  refresh(): Promise<void>;
}

export interface Rotation {
  generation: number;
  /** Secrets that were sealed anew. */
  secrets: number;
  /** Secrets that the old key did not open, and that were left as they are. */
  left: number;
  /** Ids of the master keys. */
  key: string;
  oldKey: string;
  /** Name of the machine whose folder has them. */
  host: string;
  /** Where the old one lies. */
  oldKeyFile: string;
}

interface Keys {
  master: Buffer;
  data: Map<number, Buffer>;
  last: number;
}

type Store = Pick<Database, 'query' | 'transaction'>;

/**
 * Secrets at rest: AES-256-GCM under the data key of a generation; data keys lie in the database, sealed by the master key
 * of `folder/vault.key` (0600, made at the first start). Every layer is bound to what it is for. What an earlier release
 * sealed is sealed anew here. Fault `vault.locked`: the file holds another key than the database needs, or is gone.
 */
export async function openVault(folder: string, database: Store): Promise<Vault> {
  const load = () => takeKeys(folder, database);
  let keys = await load();
  /** Rotations and looks at the key file come one after the other. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work);
    turn = mine.catch(() => {});
    return mine;
  };
  const reload = () =>
    inTurn(async () => {
      keys = await load();
      return keys;
    });

  let refreshing: Promise<void> | null = null;
  const refresh = () => {
    refreshing ??= (async () => {
      const last = (await readVaultKeys(database.query)).at(-1);
      if (last !== undefined && last.generation > keys.last) await reload();
    })().finally(() => {
      refreshing = null;
    });
    return refreshing;
  };

  const dataKey = (generation: number): Buffer => {
    const key = keys.data.get(generation);
    if (key !== undefined) return key;
    // Another server on this database rotated the key: the file has to be brought here.
    if (generation > keys.last) void refresh().catch(() => {});
    throw new Error(`it is sealed under generation ${generation}, which is not known here`);
  };

  return {
    seal: (id, secret) => envelope.seal(keys.last, dataKey(keys.last), id, secret),
    open(id, sealed) {
      try {
        const generation = envelope.generationOf(sealed);
        if (generation === null) return envelope.openAlone(keys.master, id, sealed);
        return envelope.open(generation, dataKey(generation), id, sealed);
      } catch (error) {
        throw new Fault('vault.locked', `the secret ${id} cannot be opened with ${keyFile(folder)}`, { cause: error });
      }
    },
    fingerprint: (text) =>
      `${keys.last}:${createHmac('sha256', dataKey(keys.last)).update(`fingerprint:${text}`).digest('hex')}`,
    async sealAlone(id, secret) {
      const { master } = await reload();
      return { sealed: envelope.sealAlone(master, id, secret), key: envelope.idOfKey(master) };
    },
    async rotate() {
      const rotation = await inTurn(async () => {
        const master = envelope.newKey();
        const old = await load();
        try {
          return await database.transaction((query) => renew(query, folder, old, master));
        } finally {
          // Also where nobody knows whether the database took it: it says so now, or at the next look.
          keys = await load();
        }
      });
      return rotation;
    },
    refresh,
  };
}

/** Opens what `sealAlone` made with the key of a file. Fault `vault.locked` where it holds no key; throws where it is another. */
export async function openWithKeyFile(path: string, id: string, sealed: Buffer): Promise<string> {
  const master = await readKeyFile(path);
  if (master === null) throw new Fault('vault.locked', `${path} is not there`);
  return envelope.openAlone(master, id, sealed);
}

function keysOf(master: Buffer, rows: VaultKeyRow[]): Keys {
  const data = new Map<number, Buffer>();
  for (const { generation, sealed_key } of rows)
    data.set(generation, envelope.unwrapKey(master, generation, sealed_key));
  return { master, data, last: rows.at(-1)?.generation ?? 0 };
}

/**
 * The keys as the database says, the first generation where it has none; secrets of a release that knew none come under it.
 * Under the lock: while the COMMIT of a rotation is in doubt, its rows are not seen, and its next key would pass for unknown.
 */
async function takeKeys(folder: string, database: Store): Promise<Keys> {
  const path = keyFile(folder);
  return database.transaction(async (query) => {
    await lockVault(query);
    const rows = await readVaultKeys(query);
    const last = rows.at(-1);
    if (last !== undefined) return keysOf(await settleKeyFile(folder, last.master), rows);
    const known = await readKeyFile(path);
    const sealed = await lockSealed(query);
    if (known === null && sealed.length > 0) {
      throw new Fault('vault.locked', `${path} is not there, and the database holds ${sealed.length} secrets`, {
        remedy: 'Put the vault.key of this server there: nothing else opens them.',
      });
    }
    const master = known ?? envelope.newKey();
    if (known === null) await writeKeyFile(path, master);
    const data = envelope.newKey();
    await writeVaultKey(query, {
      generation: 1,
      master: envelope.idOfKey(master),
      sealed_key: envelope.wrapKey(master, 1, data),
    });
    const keys = { master, data: new Map([[1, data]]), last: 1 };
    const { secrets, left } = await reseal(query, keys, (id, old) => envelope.openAlone(master, id, old));
    if (left > 0 && secrets === 0) throw new Fault('vault.locked', `${path} opens none of the ${left} secrets here`);
    return keys;
  });
}

async function renew(query: Query, folder: string, old: Keys, master: Buffer): Promise<Rotation> {
  await lockVault(query);
  const oldId = envelope.idOfKey(old.master);
  const rows = await readVaultKeys(query);
  if (rows.at(-1)?.master !== oldId || rows.at(-1)?.generation !== old.last) {
    throw new Fault('vault.locked', 'another server on this database is rotating the key of the vault', {
      remedy: 'Bring the vault.key of that server here.',
    });
  }
  await writeNextKey(folder, master);
  const id = envelope.idOfKey(master);
  const generation = old.last + 1;
  const data = new Map(old.data).set(generation, envelope.newKey());
  for (const [number, key] of data) {
    await writeVaultKey(query, {
      generation: number,
      master: id,
      sealed_key: envelope.wrapKey(master, number, key),
    });
  }
  const counts = await reseal(query, { master, data, last: generation }, (row, sealed) => {
    const known = envelope.generationOf(sealed);
    const key = known === null ? undefined : old.data.get(known);
    if (known === null || key === undefined) return envelope.openAlone(old.master, row, sealed);
    return envelope.open(known, key, row, sealed);
  });
  return { generation, ...counts, key: id, oldKey: oldId, host: hostname(), oldKeyFile: oldKeyFile(folder, oldId) };
}

async function reseal(query: Query, { data, last }: Keys, open: (id: string, sealed: Buffer) => string) {
  const key = data.get(last);
  if (key === undefined) throw new Error(`there is no data key ${last}`);
  const counts = { secrets: 0, left: 0 };
  for (const row of await lockSealed(query)) {
    let secret: string;
    try {
      secret = open(row.id, row.sealed);
    } catch {
      counts.left += 1;
      continue;
    }
    await row.replace(envelope.seal(last, key, row.id, secret));
    counts.secrets += 1;
  }
  return counts;
}
