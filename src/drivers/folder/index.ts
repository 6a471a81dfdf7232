import { createPrivateKey, createPublicKey } from 'node:crypto';
import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { type Identity, pinOfKey } from '../../base/identity.ts';
import { Fault } from '../../model/fault.ts';
import { SealedKeySchema } from '../../protocol/package.ts';
import type { Cloud, ConnectSettings, Driver } from '../driver.ts';
import { PACKAGE_SUFFIX } from './catalog.ts';
import { examine } from './examination.ts';
import { exportsFacet } from './exports.ts';
import { fileFault } from './files.ts';
import { importsFacet } from './imports.ts';
import { inventoryOf } from './inventory.ts';
import { objectsFacet } from './marked.ts';
import { optionsFor } from './options.ts';
import { openRemote } from './ovf/remote.ts';
import type { Keyring } from './package/keys.ts';
import { checkOpen, type Session } from './session.ts';

export interface FolderSettings {
  /** Folders, single files or https addresses that the operator named; nothing else is ever read or written. */
  roots: readonly string[];
  /** The node's: packages are written for its key. */
  identity: Pick<Identity, 'key'>;
  /** SHA-256 of the certificate of addresses among the roots; the CAs of this machine when left out. */
  fingerprint?: string;
  /** From the operator of this node; it takes the place of the cloud's own. */
  passphrase?: string;
}

/** Packages in a folder of the node's machine: Cloudspan packages, OVAs, OVF folders. */
export function folderDriver(settings: FolderSettings): Driver {
  const roots = settings.roots.map((root) => (isAddress(root) ? root : resolve(root)));
  return {
    name: 'folder',
    title: 'Packages in a folder',
    options: optionsFor(roots),
    endpoint: () => null,
    connect: (cloud, signal) => connect(settings, roots, cloud, signal),
  };
}

async function connect(
  settings: FolderSettings,
  roots: readonly string[],
  { options, label, log, stallSeconds }: ConnectSettings,
  signal: AbortSignal,
): Promise<Cloud> {
  signal.throwIfAborted();
  const who = `folder ${label}`;
  const named = options.folder ?? '';
  if (!roots.includes(named)) {
    throw new Fault('input.invalid', `${who}: "${named}" is none of the folders of this node`, {
      remedy: `There are: ${roots.join(', ')}. The node's operator names them with --packages.`,
    });
  }
  const identity = createPrivateKey(settings.identity.key);
  const session: Session = {
    who,
    ...(isAddress(named)
      ? { root: named, only: undefined, remote: openRemote(named, settings.fingerprint, who, stallSeconds) }
      : { ...(await placeOf(named, who)), remote: undefined }),
    keyring: {
      identity,
      passphrase: settings.passphrase ?? (options.passphrase || undefined),
      handed: handedKey(options),
    },
    log,
    stallSeconds,
    closed: false,
    keys: new Map(),
  };
  return {
    async about() {
      checkOpen(session);
      if (session.remote === undefined) await placeOf(named, who);
      return {
        vendor: 'Cloudspan',
        product: 'Packages in a folder',
        version: '1',
        apiVersion: '1',
        instance: `${pinOfKey(createPublicKey(identity))} ${session.root}`,
        user: process.env.USER ?? `uid ${process.getuid?.() ?? ''}`,
        time: new Date().toISOString(),
      };
    },
    examine: () => examine(session),
    inventory: inventoryOf(session),
    exports: exportsFacet(session),
    imports: importsFacet(session),
    objects: objectsFacet(session),
    async close() {
      session.closed = true;
      for (const key of session.keys.values()) key.fill(0);
      session.keys.clear();
      await session.remote?.close();
    },
  };
}

function isAddress(root: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(root);
}

/** What the operator named, without links: a folder, or one file or package in one. */
async function placeOf(path: string, who: string): Promise<Pick<Session, 'root' | 'only'>> {
  try {
    const real = await realpath(path);
    const found = await lstat(real);
    if (found.isFile() || real.endsWith(PACKAGE_SUFFIX)) return { root: dirname(real), only: basename(real) };
    if (found.isDirectory()) return { root: real, only: undefined };
    throw new Fault('object.wrong-kind', `${who}: ${path} is neither a folder nor a file`);
  } catch (error) {
    throw fileFault(error, who, `open ${path}`);
  }
}

/** `id` of the package and its sealed key, as JSON. Fault: `input.invalid`. */
function handedKey(options: ConnectSettings['options']): Keyring['handed'] {
  const text = options['handed-key'];
  if (text === undefined || text === '') return undefined;
  try {
    const value = JSON.parse(text) as { id?: unknown };
    return { ...SealedKeySchema.parse(value), id: String(value.id) };
  } catch (error) {
    throw new Fault('input.invalid', 'folder: "handed-key" is no key of a package', { cause: error });
  }
}
