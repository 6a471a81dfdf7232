import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { Fault } from '../model/fault.ts';
import { readNamedFile } from './files.ts';

export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks on the terminal; questions go to stderr so that stdout stays clean. */
export async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}

/** Asks without echo. */
async function askSecret(question: string): Promise<string> {
  process.stderr.write(question);
  const mute = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: mute, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

/**
 * A secret never stands in argv: it comes from a file (`-` = stdin), an environment variable, or the terminal.
 */
export async function readSecret(label: string, file: string | undefined, variable: string): Promise<string> {
  if (file !== undefined) {
    const text = file === '-' ? await readAll(process.stdin) : readNamedFile(file, label);
    return text.replace(/\r?\n$/, '');
  }
  const given = process.env[variable];
  if (given !== undefined) return given;
  if (canAsk()) return askSecret(`${label}: `);
  throw new Fault('input.invalid', `${label} is needed and there is no terminal to ask on`, {
    remedy: `Put it into a file and give its name, or set ${variable}.`,
  });
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/** Shows a certificate's fingerprint and takes a person's yes for it; without a terminal the flag is required. */
export async function confirmFingerprint(
  what: string,
  seen: {
    sha256: string;
    subject: string;
    issuer: string;
    validTo: string;
    chain?: { subject: string; sha256: string }[] | undefined;
  },
): Promise<void> {
  const colons = seen.sha256.replace(/..(?=.)/g, '$&:');
  process.stderr.write(
    `${what} shows this certificate:\n  subject  ${seen.subject}\n  issuer   ${seen.issuer}\n  until    ${seen.validTo}\n  SHA-256  ${colons}\n`,
  );
  for (const { subject, sha256 } of seen.chain ?? []) process.stderr.write(`  under    ${subject} (${sha256})\n`);
  if (!canAsk()) {
    throw new Fault('cloud.untrusted', `the certificate of ${what} was not confirmed`, {
      remedy: `Compare the fingerprint with its owner, then give it: --fingerprint ${seen.sha256}`,
      details: { fingerprint: seen.sha256 },
    });
  }
  const answer = await ask('Is this the right one? (yes/no) ');
  if (!/^y(es)?$/i.test(answer)) throw new Fault('cloud.untrusted', `the certificate of ${what} was not confirmed`);
}
