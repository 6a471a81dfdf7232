import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { plainHex } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import { type FaultCode, faultKinds } from '../../model/fault-kinds.ts';
import type { PackageDescription } from '../../model/machine.ts';
import { escapeName } from '../../model/path.ts';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { ObjectView } from '../../protocol/api/objects.ts';
import type { Client } from '../../protocol/client.ts';
import { PackageDescriptionSchema } from '../../protocol/nouns.ts';
import { type CopyFlags, collect, endOf, requestOf } from '../copy.ts';
import { refuseFlagAsArgument } from '../flags.ts';
import { readSecret } from '../prompt.ts';
import { connectLast } from '../session.ts';
import { Carrier } from './carrier.ts';
import { carry } from './job.ts';
import { handedKey, manifestsIn, wantsPassphrase } from './package-keys.ts';
import { PASSPHRASE_VARIABLE } from './protection.ts';
import { acceptEulas, askProperties } from './questions.ts';
import { homeState, stateFolder } from './state.ts';

interface ImportFlags extends CopyFlags {
  package?: string;
  passphraseFile?: string;
  listen?: string;
  fingerprint?: string;
}

export function addImport(program: Command): void {
  program
    .command('import <package> <destination>')
    .description(
      'bring a package into a cloud: a Cloudspan package, an OVA, an OVF or an ISO image of this machine, a folder that\n' +
        'holds one, or the https address of an OVA, OVF or ISO. ' +
        'Interrupted and repeated, it goes on where it was. What can be chosen there are flags of their own.',
    )
    .option(
      '--fingerprint <sha256>',
      'the confirmed certificate of an https address (default: the CAs of this machine)',
    )
    .option('--package <name>', 'which one, when the folder holds several')
    .option('--passphrase-file <file>', 'its passphrase (- for stdin); else it is asked for')
    .option('--name <name>', 'name of the copy (default: its name in the package)')
    .option(
      '--network <from=to>',
      'network of the package = network at the destination; NICs without one arrive disconnected',
      collect,
      [],
    )
    .option('--property <key=value>', 'value of an OVF property; else it is asked for', collect, [])
    .option('--power-on', 'power the copy on when it is proven')
    .option('--keep-mac', 'keep the MAC addresses')
    .option('--keep-uuid', 'keep the BIOS UUID')
    .option('--rename', 'take a new name when the name exists')
    .option('--accept-eulas', 'accept the licenses that the package carries')
    .option('--listen <host:port>', 'let the other node dial this machine, when neither it nor a relay can be dialled')
    .option('--json', 'lines of JSON')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((source: string, destination: string, flags: ImportFlags, command: Command) =>
      importFrom(source, destination, flags, command.args.slice(2)),
    );
}

async function importFrom(source: string, destination: string, flags: ImportFlags, words: string[]): Promise<void> {
  for (const word of [source, destination]) {
    refuseFlagAsArgument(word, 'cloudspan import <package> <destination> … --datastore fast');
  }
  await using connection = await connectLast();
  const { client } = connection;
  const asked = requestOf('', destination, flags, words);
  const place = await placeOf(source);
  const manifests = place.packages.startsWith('https://') ? [] : await manifestsIn(place.packages);
  const passphrase =
    flags.passphraseFile !== undefined || wantsPassphrase(manifests)
      ? await readSecret('Passphrase of the package', flags.passphraseFile, PASSPHRASE_VARIABLE)
      : undefined;
  await using carrier = await Carrier.start({
    connection,
    folder: place.state,
    packages: place.packages,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(flags.listen === undefined ? {} : { listen: flags.listen }),
    ...(flags.fingerprint === undefined ? {} : { fingerprint: plainHex(flags.fingerprint) }),
  });
  const json = flags.json === true;
  try {
    const handed = await handedKey(client, manifests, await carrier.publicKey());
    const cloud = await carrier.cloud(handed === null ? {} : { 'handed-key': handed });
    const object = await chooseObject(client, cloud, flags.package);
    const { description: told } = await client.description({ cloud: cloud.id, object: object.id });
    const description = PackageDescriptionSchema.parse(told);
    const request = {
      ...asked,
      source: `${cloud.name}/id:${escapeName(object.id)}`,
      name: flags.name ?? object.name,
      ...(await answersFor(description, flags, asked.properties ?? {})),
    };
    const again = `the same command (cloudspan import ${source} ${destination} …)`;
    const { job } = await carry({ client, carrier, request, json, again, finish: async () => {} });
    endOf(job, json);
  } catch (error) {
    // What never came to a job leaves nothing to go on with.
    if (carrier.state.job === undefined) await carrier.leave();
    throw error;
  }
}

async function answersFor(description: PackageDescription, flags: ImportFlags, given: Record<string, string>) {
  return {
    acceptEulas: flags.acceptEulas === true || (await acceptEulas(description)),
    properties: await askProperties(description, given),
  };
}

async function placeOf(source: string): Promise<{ packages: string; state: string }> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(source)) {
    if (!source.startsWith('https://')) {
      throw new Fault('input.invalid', `${source} is no https address`, {
        remedy: 'Without TLS nothing says whose package it is: get it yourself, compare its digest, import the file.',
      });
    }
    return { packages: source, state: homeState(source) };
  }
  const packages = resolve(source);
  const found = await stat(packages).catch(() => null);
  if (found === null) {
    throw new Fault('object.missing', `there is nothing at ${packages}`, {
      remedy: 'Give the folder, the package, the OVA, the OVF or the ISO image.',
    });
  }
  const folder = found.isDirectory() && !packages.endsWith('.cloudspan');
  return {
    packages,
    state: folder
      ? await stateFolder(packages, '.cloudspan')
      : await stateFolder(dirname(packages), `.cloudspan-${basename(packages)}`),
  };
}

/** The one package that is meant; says why one that is there cannot be read. */
async function chooseObject(client: Client, cloud: CloudView, name: string | undefined): Promise<ObjectView> {
  const { objects } = await client.listObjects({ query: { cloud: cloud.id, kinds: 'vm,vapp,template,media' } });
  const meant = (object: ObjectView) =>
    name === undefined || object.name === name || object.id === name || object.id.split('/').at(-1) === name;
  const all = objects.filter((object) => meant(object) && object.abilities.includes('export'));
  // Beside a package, images of discs are meant only by name.
  const machines = all.filter(({ kind }) => kind !== 'media');
  const packages = name === undefined && machines.length > 0 ? machines : all;
  const [first] = packages;
  if (first !== undefined && packages.length === 1) return first;
  if (packages.length > 1) {
    throw new Fault('object.ambiguous', `there are ${packages.length} packages`, {
      remedy: 'Name one with --package.',
      details: { packages: packages.map((object) => `${object.name} (${object.id})`) },
    });
  }
  const bad = objects.find((object) => meant(object) && object.facts?.why !== undefined);
  if (bad !== undefined) {
    const code = bad.facts?.state ?? '';
    throw new Fault(code in faultKinds ? (code as FaultCode) : 'package.damaged', bad.facts?.why ?? '');
  }
  throw new Fault('object.missing', `there is no package${name === undefined ? '' : ` "${name}"`} here`, {
    details: { found: objects.map((object) => object.id) },
  });
}
