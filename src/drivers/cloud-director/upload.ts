import { createHash } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { PackageDescription } from '../../model/machine.ts';
import type { DiskFeed, ImportProgress, WorkContext } from '../driver.ts';
import { findMade } from './adoption.ts';
import { descriptorFor, manifestOf } from './descriptor.ts';
import { countEncoded, ENCODING, type EncodedDisk } from './encoded-disk.ts';
import { STATUS, statusOf, urnOf } from './entity.ts';
import { removeItem } from './removal.ts';
import type { Session } from './session.ts';
import { descriptorFile, fileNamed, filesOf, isAlive, isDescriptorTaken, pollTemplate } from './transfer-files.ts';
import { orLateTwin, unfinishedName } from './unfinished.ts';
import { uploadFile } from './upload-file.ts';
import { body, child, childrenOf, mediaType, tag, type XmlElement } from './xml.ts';

const MANIFEST = 'descriptor.mf';

export interface TemplateUpload {
  session: Session;
  context: WorkContext;
  description: PackageDescription;
  /** Final name; the upload carries the unfinished form of it. */
  name: string;
  /** Address of the catalog. */
  catalog: string;
  /** Address of the storage policy, or undefined for the catalog's own. */
  policy: string | undefined;
  /** Role in the ledger. */
  role: string;
  feeds: ReadonlyMap<string, DiskFeed>;
  progress(progress: ImportProgress): void;
}

export interface UploadedTemplate {
  entry: LedgerEntry;
  href: string;
  /** By disk: the cloud compared the bytes it stored with the manifest's digest. Empty after a late adoption. */
  checksums: Record<string, string>;
}

/**
 * Brings the package into a catalog as a template with an unfinished name, or goes on with what an earlier attempt of
 * the same work began. Cloud Director wants every file's length in the descriptor before the first byte: there is no
 * cut-through, the disks are encoded once to be counted while their blocks arrive, and again to be sent.
 */
export async function uploadTemplate(upload: TemplateUpload): Promise<UploadedTemplate> {
  const { session, context } = upload;
  const disks = encodedDisks(session, upload);
  let sizes: ReadonlyMap<string, number> | undefined;
  const count = async () => {
    sizes ??= await countAll(disks, context.signal);
    return sizes;
  };
  let made = await adopt(upload);
  if (made === undefined) {
    await count();
    made = await begin(upload);
  }
  const { entry, href } = made;
  const what = `upload "${upload.name}"`;
  let template = await session.read(href, what, context.signal);
  if (statusOf(template) === STATUS.off) return { entry, href, checksums: {} };
  if (filesOf(template).length > 0) {
    if (!isDescriptorTaken(template)) {
      await put(
        session,
        descriptorFile(session, template).href,
        descriptorFor(upload.description, disks, await count()),
        what,
        context.signal,
      );
      template = await pollTemplate(session, href, what, isDescriptorTaken, context.signal);
    }
    const checksums = await sendFiles(upload, disks, href, template);
    await pollTemplate(session, href, what, (seen) => statusOf(seen) === STATUS.off, context.signal);
    return { entry, href, checksums };
  }
  await pollTemplate(session, href, what, (seen) => statusOf(seen) === STATUS.off, context.signal);
  return { entry, href, checksums: {} };
}

function encodedDisks(session: Session, upload: TemplateUpload): EncodedDisk[] {
  const all = upload.description.machines.flatMap((machine) => machine.disks);
  return all.map((disk, index) => {
    const feed = upload.feeds.get(disk.id);
    if (feed === undefined) {
      throw new Fault('input.invalid', `${session.who}: there are no bytes for disk "${disk.id}" of "${upload.name}"`);
    }
    return { disk, feed, fileName: `disk-${index}.vmdk` };
  });
}

async function countAll(disks: readonly EncodedDisk[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  const sizes = await Promise.all(disks.map((encoded) => countEncoded(encoded, signal)));
  return new Map(disks.map(({ fileName }, index) => [fileName, sizes[index] ?? 0]));
}

/** What an earlier attempt made, when it can still be used; else it is removed. */
async function adopt(upload: TemplateUpload): Promise<{ entry: LedgerEntry; href: string } | undefined> {
  const { session, context, role } = upload;
  const found = await findMade(session, context, role, 'template', context.signal);
  if (found === undefined) return undefined;
  const { entry, href, element } = found;
  const encoding = /vmdk-\S+/.exec(child(element, 'Description')?.text ?? '')?.[0];
  const same = statusOf(element) === STATUS.off || encoding === undefined || encoding === ENCODING;
  if (isAlive(element) && same)
    return { entry: await context.ledger.settle(entry, 'made', urnOf('template', href)), href };
  await removeItem(session, href, context.signal);
  await context.ledger.settle(entry, 'removed');
  return undefined;
}

async function begin(upload: TemplateUpload) {
  const { session, context, catalog, policy, role } = upload;
  const name = unfinishedName(upload.name, context.marker);
  const what = `begin the upload of "${upload.name}"`;
  const entry = await context.ledger.intend({ action: 'create', kind: 'template', role, name });
  const sending = session.send({
    method: 'POST',
    href: `${catalog}/action/upload`,
    what,
    type: mediaType('uploadVAppTemplateParams'),
    body: body(
      'UploadVAppTemplateParams',
      { name, manifestRequired: true },
      tag('Description', {}, `cloudspan ${context.marker} ${ENCODING}`),
      policy === undefined ? undefined : tag('VdcStorageProfile', { href: policy }),
    ),
    signal: context.signal,
  });
  const item = await sending.catch((error: unknown) => {
    throw orLateTwin(error, what, session.who);
  });
  const href = entityOf(item);
  if (href === undefined) throw new Fault('cloud.protocol', `${session.who}: ${what}: the answer names no template`);
  return { entry: await context.ledger.settle(entry, 'made', urnOf('template', href)), href };
}

/** The template that a catalog item stands for. */
function entityOf(item: XmlElement | null): string | undefined {
  if (item === null) return undefined;
  return item.name === 'CatalogItem' ? childrenOf(item, 'Entity')[0]?.attributes.href : item.attributes.href;
}

async function sendFiles(
  upload: TemplateUpload,
  disks: readonly EncodedDisk[],
  href: string,
  template: XmlElement,
): Promise<Record<string, string>> {
  const { session, context } = upload;
  const manifest = filesOf(template).find(({ name }) => name === MANIFEST);
  const digests: [disk: EncodedDisk, sha256: string][] = [];
  for (const encoded of disks) {
    const what = `upload disk "${encoded.disk.label}" of "${upload.name}"`;
    let reached = 0;
    const given = (bytes: number) => {
      reached = Math.max(reached, Math.min(bytes, encoded.feed.capacityBytes));
      upload.progress({ disk: encoded.disk.id, givenBytes: reached });
    };
    const file = { session, template: href, encoded, what, signal: context.signal, given };
    const digest = await uploadFile(file, manifest !== undefined);
    if (digest !== undefined) digests.push([encoded, digest]);
  }
  if (manifest === undefined) return {};
  const sizes = new Map(disks.map(({ fileName }) => [fileName, fileNamed(session, template, fileName).size]));
  const descriptor = descriptorFor(upload.description, disks, sizes);
  const lines: [string, string][] = [
    [descriptorFile(session, template).name, createHash('sha256').update(descriptor).digest('hex')],
    ...digests.map(([{ fileName }, digest]): [string, string] => [fileName, digest]),
  ];
  await put(session, manifest.href, manifestOf(lines), `upload the manifest of "${upload.name}"`, context.signal);
  return Object.fromEntries(digests.map(([{ disk }, digest]) => [disk.id, `sha256:${digest}`]));
}

async function put(session: Session, href: string, text: string, what: string, signal: AbortSignal): Promise<void> {
  const response = await session.call({
    method: 'PUT',
    href,
    what,
    accept: '*/*',
    type: 'text/xml',
    body: text,
    signal,
  });
  await response.text();
}
