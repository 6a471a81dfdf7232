import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { plainHex, probeCertificate } from '../base/tls.ts';
import { Fault } from '../model/fault.ts';
import type { CertificateView } from '../protocol/api/certificate.ts';
import { colons } from './certificate-text.ts';
import { readNamedFile } from './files.ts';
import { printJson, printLine } from './output.ts';
import { readSecret } from './prompt.ts';
import { confirmServer, connectLast, keepFingerprint, lastServer } from './session.ts';

interface UploadFlags {
  key?: string;
  passwordFile?: string;
  name: string[];
  json?: boolean;
}

const repeated = (value: string, all: string[]) => [...all, value];

/** `cloudspan certificates`: what browsers and this command meet. */
export function addCertificates(program: Command): void {
  const certificates = program
    .command('certificates')
    .description('the certificate of API and UI; nodes know the server by its key and never look at it');
  certificates
    .command('show')
    .description('whose it is, for which names, until when, and what is sent with it')
    .option('--json', 'answer as JSON')
    .action(show);
  certificates
    .command('request <names...>')
    .description('make a key, which stays on the server, and print the signing request (CSR) for a CA')
    .option('--rsa', 'an RSA key of 3072 bits instead of ECDSA P-256')
    .option('--json', 'answer as JSON')
    .action(request);
  certificates
    .command('upload <files...>')
    .description('replace the certificate at once: PEM (in any order, with key or for the last request) or PKCS#12')
    .option('--key <file>', 'PEM of its key, where that is in a file of its own')
    .option('--password-file <file>', 'of the PKCS#12 file or of the key (- for stdin); else CLOUDSPAN_KEY_PASSWORD')
    .option(
      '--name <name>',
      'how people reach the server (default: as this command does); may be repeated',
      repeated,
      [],
    )
    .option('--json', 'answer as JSON')
    .action(upload);
  certificates
    .command('trust')
    .description('the server shows another certificate than at login: see both, and confirm the new one')
    .option('--fingerprint <sha256>', 'the SHA-256 of the new one, compared with its owner')
    .action(trust);
}

async function show(flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const view = await connection.client.getCertificate({});
  if (flags.json === true) return printJson(view);
  describe(view);
}

function describe(view: CertificateView): void {
  printLine(`subject   ${view.subject}`);
  printLine(`issuer    ${view.issuer}${view.source === 'self-signed' ? ' (made by the server itself)' : ''}`);
  printLine(`names     ${view.names.join(', ')}`);
  printLine(`valid     ${view.validFrom} to ${view.validTo}`);
  printLine(`SHA-256   ${colons(view.sha256)}`);
  for (const { subject, validTo } of view.issuers) printLine(`sent too  ${subject}, until ${validTo}`);
  if (!view.complete) {
    printLine(`"${view.missing}" is not known here: add its certificate, unless everybody who connects has it`);
  }
  if (view.request !== undefined)
    printLine('a request is open: its key waits on the server for the signed certificate');
}

async function request(names: string[], flags: { rsa?: boolean; json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const body = { names, keyType: flags.rsa === true ? ('rsa' as const) : ('ec' as const) };
  const answer = await connection.client.requestCertificate({ body });
  if (flags.json === true) printJson(answer);
  else process.stdout.write(answer.request);
}

async function upload(files: string[], flags: UploadFlags): Promise<void> {
  const contents = await Promise.all(files.map(read));
  const binary = contents.filter((content) => !content.includes('-----BEGIN '));
  if (binary.length > 0 && (files.length > 1 || flags.key !== undefined)) {
    throw new Fault('input.invalid', 'a PKCS#12 file holds key and certificates: it is given alone');
  }
  const given = flags.passwordFile !== undefined || process.env.CLOUDSPAN_KEY_PASSWORD !== undefined;
  const key = flags.key === undefined ? [] : [readNamedFile(flags.key, '--key')];
  const closed = binary.length > 0 || [...contents.map(String), ...key].some((text) => text.includes('ENCRYPTED'));
  const password =
    given || closed ? await readSecret('Password of the key', flags.passwordFile, 'CLOUDSPAN_KEY_PASSWORD') : undefined;
  const [pfx] = binary;
  await using connection = await connectLast();
  const view = await connection.client.uploadCertificate({
    body: {
      ...(pfx === undefined
        ? { pem: [...key, ...contents.map(String)].join('\n') }
        : { pkcs12: pfx.toString('base64') }),
      ...(password === undefined ? {} : { password }),
      ...(flags.name.length === 0 ? {} : { names: flags.name }),
    },
  });
  // Told by the server over the connection that was trusted before.
  await keepFingerprint(view);
  if (flags.json === true) return printJson(view);
  describe(view);
  printLine(
    'it is shown from the next connection on; other command lines confirm it with `cloudspan certificates trust`',
  );
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new Fault('input.invalid', `${file}: ${(error as Error).message}`, {
      cause: error,
      remedy: 'Give a file that exists and can be read.',
    });
  }
}

async function trust(flags: { fingerprint?: string }): Promise<void> {
  const { target, way } = await lastServer();
  const seen = await probeCertificate(target, AbortSignal.timeout(30_000), { way });
  const wanted = flags.fingerprint === undefined ? undefined : plainHex(flags.fingerprint);
  await confirmServer(seen, wanted);
  printLine(`the certificate ${colons(seen.sha256)} is confirmed`);
}
