import { createHash, verify } from 'node:crypto';
import type { Receipt } from '../model/receipt.ts';
import { pinOfKey } from './identity.ts';
import { readPublicKey } from './sealed-key.ts';

/** JSON with the keys of every object in order and no spaces: the same value is always the same text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** One root over all disks: SHA-256 over the bytes of the disk roots in package order. */
export function rootOfDisks(roots: string[]): string {
  const hash = createHash('sha256');
  for (const root of roots) hash.update(Buffer.from(root, 'hex'));
  return hash.digest('hex');
}

/** What the nodes sign: all of a receipt but the signatures and the keys that they are checked with. */
export function signedText(receipt: object): string {
  const { signatures: _, keys: __, ...signed } = receipt as Receipt;
  return canonicalJson(signed);
}

/**
 * What is wrong with a receipt, one sentence each; nothing when it holds together and everybody who has to has signed it.
 * @param receipt As it was read: fields that this version does not know are signed as well.
 * @param keys Public keys (SPKI, base64) by pin, for receipts that do not carry them.
 */
export function faultsOfReceipt(receipt: Receipt, keys: Readonly<Record<string, string>>): string[] {
  const faults: string[] = [];
  for (const { disk, label, sourceRoot, destinationRoot } of receipt.disks) {
    if (sourceRoot !== destinationRoot) faults.push(`${label} (${disk}) left with another root than it arrived with`);
  }
  const left = rootOfDisks(receipt.disks.map(({ sourceRoot }) => sourceRoot));
  const arrived = rootOfDisks(receipt.disks.map(({ destinationRoot }) => destinationRoot));
  if (receipt.sourceRoot !== left || receipt.destinationRoot !== arrived) {
    faults.push('the root over all disks is not the one of its disks');
  }
  const pins = receipt.nodes === undefined ? [] : [receipt.nodes.source.pin, receipt.nodes.destination.pin];
  const text = signedText(receipt);
  const signers = new Set([...pins, ...Object.keys(receipt.signatures)]);
  if (signers.size === 0) faults.push('nobody has signed it');
  for (const pin of signers) {
    const why = faultOfSignature(text, pin, receipt.signatures[pin], receipt.keys?.[pin] ?? keys[pin]);
    if (why !== null) faults.push(`the signature of node ${pin} ${why}`);
  }
  return faults;
}

function faultOfSignature(
  text: string,
  pin: string,
  signature: string | undefined,
  publicKey: string | undefined,
): string | null {
  if (signature === undefined) return 'is missing';
  if (publicKey === undefined)
    return 'cannot be checked: its key is not known here (sign in to the server that knows it)';
  try {
    const key = readPublicKey(publicKey);
    if (pinOfKey(key) !== pin) return 'comes with the key of another node';
    return verify('sha256', Buffer.from(text), key, Buffer.from(signature, 'base64')) ? null : 'is not of this text';
  } catch {
    return 'comes with a key that is none';
  }
}
