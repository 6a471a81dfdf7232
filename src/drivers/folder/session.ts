import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../model/fault.ts';
import { MANIFEST_BYTES, MANIFEST_FILE, type Manifest, ManifestSchema } from '../../protocol/package.ts';
import type { DriverLog } from '../driver.ts';
import { fileFault, openPlain } from './files.ts';
import type { Remote } from './ovf/remote.ts';
import { type Keyring, unlock } from './package/keys.ts';
import { openPackage, type PackageReader } from './package/reader.ts';
import { RecordCodec } from './package/record.ts';
import { CONTENTS } from './package/segments.ts';

/** One folder that the operator named, as one session sees it. */
export interface Session {
  /** `folder usb1`: begins every sentence. */
  readonly who: string;
  /** Absolute, without links. */
  readonly root: string;
  /** Set where the operator named one file or package of the root: then there is only that. */
  readonly only: string | undefined;
  /** Set where the operator named an address: then there is only what lies there. */
  readonly remote: Remote | undefined;
  readonly keyring: Keyring;
  readonly log: DriverLog;
  readonly stallSeconds: number;
  closed: boolean;
  /** Data keys of packages by id: scrypt takes a second. */
  readonly keys: Map<string, Buffer>;
}

export function checkOpen(session: Session): void {
  if (session.closed) throw new Fault('cloud.session', `${session.who}: the session is closed`);
}

/** Fault: `package.damaged`, `object.missing`. */
export async function readManifest(session: Session, folder: string, label: string): Promise<Manifest> {
  const who = `${session.who}: package "${label}"`;
  try {
    await using file = await openPlain(join(folder, MANIFEST_FILE));
    const { size } = await file.stat();
    if (size > MANIFEST_BYTES) throw new Fault('package.damaged', `${who}: its manifest has ${size} bytes`);
    const parsed = ManifestSchema.safeParse(JSON.parse(await file.readFile('utf8')));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new Fault(
      'package.damaged',
      `${who}: its manifest is wrong at ${issue?.path.join('.')}: ${issue?.message}; perhaps a newer Cloudspan wrote it`,
    );
  } catch (error) {
    if (error instanceof SyntaxError) throw new Fault('package.damaged', `${who}: its manifest is no JSON`);
    throw fileFault(error, who, 'read its manifest');
  }
}

/** Fault `package.locked` names what would open it. */
export async function codecOf(session: Session, manifest: Manifest, label: string): Promise<RecordCodec> {
  if (manifest.protection === 'plain') return new RecordCodec(manifest.id, null);
  const known = session.keys.get(manifest.id);
  if (known !== undefined) return new RecordCodec(manifest.id, known);
  const key = await unlock(manifest, session.keyring);
  if (key === null) {
    const kinds = new Set(manifest.keys.map(({ kind }) => kind));
    const wrong = kinds.has('passphrase') && session.keyring.passphrase !== undefined;
    throw new Fault(
      'package.locked',
      `${session.who}: package "${label}" is encrypted and ${wrong ? 'the passphrase does not open it' : 'nothing here opens it'}`,
      {
        remedy: kinds.has('passphrase')
          ? 'Give its passphrase.'
          : 'Import it where the node that it was written for is known.',
        details: { writtenFor: manifest.keys.map((one) => (one.kind === 'node' ? `node ${one.pin}` : 'a passphrase')) },
      },
    );
  }
  session.keys.set(manifest.id, key);
  return new RecordCodec(manifest.id, key);
}

/** A package that is complete. Faults: `package.locked`, `package.damaged`, `object.missing`. */
export async function readPackage(session: Session, folder: string, label: string): Promise<PackageReader> {
  const manifest = await readManifest(session, folder, label);
  const codec = await codecOf(session, manifest, label);
  const who = `${session.who}: package "${label}"`;
  try {
    return await openPackage(folder, codec, who);
  } catch (error) {
    throw fileFault(error, who, 'read it');
  }
}

export async function isComplete(folder: string): Promise<boolean> {
  return lstat(join(folder, CONTENTS)).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** The marker of the job that wrote a package; undefined for one that cannot be read or has none. */
export async function markerOf(folder: string): Promise<string | undefined> {
  try {
    const text = await readFile(join(folder, MANIFEST_FILE), 'utf8');
    return ManifestSchema.parse(JSON.parse(text)).marker;
  } catch {
    return undefined;
  }
}
