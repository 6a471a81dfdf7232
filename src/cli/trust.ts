import type { Command } from 'commander';
import { plainHex } from '../base/tls.ts';
import { Fault } from '../model/fault.ts';
import type { Trust } from '../model/option.ts';
import type { CloudCertificateView } from '../protocol/api/cloud-certificates.ts';
import { certificateText } from './certificate-text.ts';
import { findCloud } from './clouds.ts';
import { readNamedFile } from './files.ts';
import { printJson, printLine } from './output.ts';
import { ask, canAsk } from './prompt.ts';
import { connectLast } from './session.ts';

interface TrustFlags {
  fingerprint?: string;
  ca?: string;
  json?: boolean;
}

/** `cloudspan clouds trust`. */
export function addTrust(clouds: Command): void {
  clouds
    .command('trust <cloud>')
    .description('show the old and the new certificate of a cloud, and confirm the new one; what waited for it goes on')
    .option('--fingerprint <sha256>', 'the SHA-256 of the new one, compared with its owner')
    .option('--ca <file>', 'believe this CA from now on (PEM) instead of one certificate')
    .option('--json', 'answer as JSON')
    .action(trust);
}

async function trust(name: string, flags: TrustFlags): Promise<void> {
  await using connection = await connectLast();
  const { client } = connection;
  const { id: cloud } = await findCloud(client, name);
  const wanted: Trust =
    flags.ca !== undefined
      ? { kind: 'ca', pem: readNamedFile(flags.ca, '--ca') }
      : { kind: 'pin', sha256: await confirmed(name, await client.getCloudCertificate({ cloud }), flags) };
  const view = await client.trustCloud({ cloud, body: { trust: wanted } });
  if (flags.json === true) return printJson(view);
  printLine(`${view.name}: the certificate is confirmed, the cloud is ${view.state}`);
}

async function confirmed(name: string, view: CloudCertificateView, flags: TrustFlags): Promise<string> {
  const { seen } = view;
  if (seen === undefined) throw new Fault('input.invalid', `${name} shows no certificate: there is nothing to confirm`);
  if (flags.json !== true) {
    const old = view.trust.kind === 'pin' ? view.trust.sha256 : undefined;
    const before = view.confirmed ?? (old === undefined ? undefined : { sha256: old });
    if (before !== undefined) process.stderr.write(certificateText(`${name}: confirmed was`, before));
    process.stderr.write(certificateText(view.changed ? `${name} shows now` : 'it shows the same', seen));
  }
  if (flags.fingerprint !== undefined) return plainHex(flags.fingerprint);
  if (!canAsk()) {
    throw new Fault('cloud.untrusted', `the certificate of ${name} was not confirmed`, {
      remedy: `Compare the fingerprint with its owner, then give it: --fingerprint ${seen.sha256}`,
      details: { fingerprint: seen.sha256 },
    });
  }
  if (/^y(es)?$/i.test(await ask('Is the one that it shows now the right one? (yes/no) '))) return seen.sha256;
  throw new Fault('cloud.untrusted', `the certificate of ${name} was not confirmed`);
}
