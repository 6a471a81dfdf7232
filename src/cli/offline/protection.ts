import { readFileSync, statSync } from 'node:fs';
import { readPublicKey } from '../../base/sealed-key.ts';
import { Fault } from '../../model/fault.ts';
import type { Client } from '../../protocol/client.ts';
import { findNode } from '../nodes.ts';
import { canAsk, readSecret } from '../prompt.ts';

export interface ProtectionFlags {
  for?: string;
  passphraseFile?: string;
  plain?: boolean;
}

export interface Protection {
  placement: Record<string, string>;
  passphrase?: string;
}

const SHORTEST = 8;
export const PASSPHRASE_VARIABLE = 'CLOUDSPAN_PASSPHRASE';

/** For whom a package is encrypted. Without a word it asks for a passphrase. Fault: `input.invalid`. */
export async function protectionOf(client: Client, flags: ProtectionFlags): Promise<Protection> {
  const given = [flags.for, flags.passphraseFile, flags.plain === true ? 'plain' : undefined].filter(Boolean);
  if (given.length > 1)
    throw new Fault('input.invalid', 'only one of --for, --passphrase-file and --plain can be meant');
  if (flags.plain === true) return { placement: { protection: 'plain' } };
  if (flags.for !== undefined) {
    return { placement: { protection: 'node', recipient: await recipientOf(client, flags.for) } };
  }
  const passphrase = await readSecret('Passphrase of the package', flags.passphraseFile, PASSPHRASE_VARIABLE);
  if (flags.passphraseFile === undefined && process.env[PASSPHRASE_VARIABLE] === undefined && canAsk()) {
    if ((await readSecret('The same again', undefined, PASSPHRASE_VARIABLE)) !== passphrase) {
      throw new Fault('input.invalid', 'the two passphrases are not the same');
    }
  }
  if (passphrase.length < SHORTEST) {
    throw new Fault('input.invalid', `a passphrase has at least ${SHORTEST} characters`, {
      remedy: 'Take several words.',
    });
  }
  return { placement: { protection: 'passphrase' }, passphrase };
}

/** The public key of a node of this server, or out of a file that another server's `nodes key` wrote. */
async function recipientOf(client: Client, text: string): Promise<string> {
  if (statSync(text, { throwIfNoEntry: false })?.isFile() === true) {
    const key = readPublicKey(readFileSync(text, 'utf8'));
    return key.export({ type: 'spki', format: 'der' }).toString('base64');
  }
  const { publicKey, name } = await findNode(client, text);
  if (publicKey === undefined) throw new Fault('cloud.unsupported', `the server does not tell the key of node ${name}`);
  return publicKey;
}
