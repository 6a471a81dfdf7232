import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import { Bell } from '../bell.ts';

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT = 'cloudspan-storage-1';

/**
 * How the blocks of one owner lie on the disk. Encrypted: the id is HMAC-SHA-256(key, SHA-256 of the block), so that equal
 * blocks of two owners have nothing in common; the data are AES-256-CTR. What would be added by a tag, the block's
 * SHA-256 does that every read checks. The counter's start is an HMAC of the id: another content has another one, also
 * after a machine was set back to a snapshot, and the same content of the same owner gives the same bytes. Every use has a
 * key of its own, derived by HKDF from the owner's.
 */
export interface Sealing {
  /** Name of the key, which tells nothing about it; undefined when nothing is encrypted. */
  readonly key: string | undefined;
  id(hash: Uint8Array): Uint8Array;
  seal(id: Uint8Array, data: Buffer): Buffer;
  /** In place. */
  open(id: Uint8Array, stored: Buffer): void;
  /** A hash as it stands in a journal: as long, and the same for the same hash. Several in a row are taken too. */
  wrapHashes(hashes: Uint8Array): Buffer;
  unwrapHashes(wrapped: Uint8Array): Buffer;
  /** A name for a file, hex, that does not tell of what. */
  word(words: readonly string[]): string;
  /** Any bytes, AES-256-GCM. */
  wrap(bytes: Buffer): Buffer;
  /** Null when they are not what `wrap` made. */
  unwrap(bytes: Buffer): Buffer | null;
}

export const plain: Sealing = {
  key: undefined,
  id: (hash) => hash,
  seal: (_, data) => data,
  open: () => {},
  wrapHashes: (hashes) => Buffer.from(hashes),
  unwrapHashes: (wrapped) => Buffer.from(wrapped),
  word: (words) => createHash('sha256').update(JSON.stringify(words)).digest('hex'),
  wrap: (bytes) => bytes,
  unwrap: (bytes) => bytes,
};

/** @param key KEY_BYTES; kept in memory by the answer. */
export function sealingOf(key: Uint8Array): Sealing {
  const derived = (use: string) => Buffer.from(hkdfSync('sha256', key, SALT, use, KEY_BYTES));
  const hmac = (secret: Buffer, bytes: Uint8Array) => createHmac('sha256', secret).update(bytes).digest();
  const idKey = derived('id');
  const startKey = derived('start');
  const dataKey = derived('data');
  const hashKey = derived('hash');
  const wordKey = derived('word');
  const mapKey = derived('map');
  const stream = (id: Uint8Array) => createCipheriv('aes-256-ctr', dataKey, hmac(startKey, id).subarray(0, 16));
  return {
    key: derived('name').subarray(0, 8).toString('hex'),
    id: (hash) => hmac(idKey, hash),
    seal: (id, data) => stream(id).update(data),
    open: (id, stored) => void stored.set(stream(id).update(stored)),
    // Hashes look random and never come by themselves twice: a block cipher alone hides them.
    wrapHashes: (hashes) => createCipheriv('aes-256-ecb', hashKey, null).setAutoPadding(false).update(hashes),
    unwrapHashes: (wrapped) => createDecipheriv('aes-256-ecb', hashKey, null).setAutoPadding(false).update(wrapped),
    word: (words) => hmac(wordKey, Buffer.from(JSON.stringify(words))).toString('hex'),
    wrap(bytes) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', mapKey, nonce);
      return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    },
    unwrap(bytes) {
      if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
      const end = bytes.length - TAG_BYTES;
      const cipher = createDecipheriv('aes-256-gcm', mapKey, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      try {
        const opened = cipher.setAuthTag(bytes.subarray(end)).update(bytes.subarray(NONCE_BYTES, end));
        return Buffer.concat([opened, cipher.final()]);
      } catch {
        return null;
      }
    },
  };
}

/** The keys that servers gave this node for the data of their owners. In memory only. */
export class Keyring {
  /** Whether blocks are encrypted on this node at all. */
  readonly encrypted: boolean;
  readonly #sealings = new Map<string, Sealing>();
  readonly #given = new Bell();

  constructor(encrypted: boolean) {
    this.encrypted = encrypted;
  }

  /** Fault `storage.locked`: the key is not here. */
  sealing(owner: string): Sealing {
    const sealing = this.find(owner);
    if (sealing === null) throw locked(owner);
    return sealing;
  }

  find(owner: string): Sealing | null {
    return this.encrypted ? (this.#sealings.get(owner) ?? null) : plain;
  }

  give(owner: string, sealing: Sealing): void {
    this.#sealings.set(owner, sealing);
    this.#given.ring();
  }

  forget(owner: string): void {
    this.#sealings.delete(owner);
  }

  /** Resolves when the key of this owner is here. `onWait` is told once that it has to wait. */
  async until(owner: string, signal: AbortSignal, onWait: (fault: Fault) => void): Promise<void> {
    if (this.find(owner) === null) onWait(locked(owner));
    while (this.find(owner) === null) await this.#given.wait(signal);
  }
}

function locked(owner: string): Fault {
  return new Fault('storage.locked', `transfer storage: the key for the data of ${owner} is not here`);
}
