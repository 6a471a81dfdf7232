import { randomBytes } from 'node:crypto';
import { type Algorithm, hash, verify } from '@node-rs/argon2';
import { Fault } from '../../model/fault.ts';

/** OWASP's second recommendation for Argon2id: 19 MiB, 2 passes. */
const HASHING = { algorithm: 2 as Algorithm.Argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const SHORTEST = 12;

export function hashPassword(password: string): Promise<string> {
  return hash(password, HASHING);
}

/** Takes as long for a name that nobody has, or that has no password, as for any other. */
export async function isPassword(hashed: string | null, password: string): Promise<boolean> {
  return (await verify(hashed ?? (await decoy()), password)) && hashed !== null;
}

export function newPassword(): string {
  return randomBytes(15).toString('base64url');
}

/** Fault `input.invalid` for a password that is guessed too easily. */
export function refuseWeak(password: string, name: string): void {
  const remedy = `Take at least ${SHORTEST} characters, and not the name; length counts more than odd signs.`;
  const refuse = (why: string) => new Fault('input.invalid', `the new password of ${name} ${why}`, { remedy });
  if ([...password].length < SHORTEST) throw refuse('is too short');
  if (password.toLowerCase().includes(name.toLowerCase())) throw refuse('contains the name of the account');
  if (new Set(password).size < 5) throw refuse('has too few different characters');
}

let decoyHash: Promise<string> | undefined;

function decoy(): Promise<string> {
  decoyHash ??= hashPassword(newPassword());
  return decoyHash;
}
