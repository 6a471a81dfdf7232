import { blocksOfFile } from '../../base/file-blocks.ts';
import type { DataBlock } from '../../model/block-map.ts';
import type { Check } from '../../model/check.ts';
import { Fault } from '../../model/fault.ts';
import type { PackageDescription } from '../../model/machine.ts';
import { MEDIA_FILE, mediaPackage } from '../../model/media.ts';
import type { OpenExport, WorkContext } from '../driver.ts';
import { closeArea, fileBytes, openArea } from './download.ts';
import { readEntity, STATUS, statusOf, uuidOf } from './entity.ts';
import type { Session } from './session.ts';
import { child } from './xml.ts';

/** Media of a catalog. Their content never changes. */
export interface Media {
  kind: 'media';
  href: string;
  name: string;
  status: number;
  bytes: number;
  description: PackageDescription;
}

/** Faults: `object.missing`, `object.wrong-kind`, `cloud.protocol`. */
export async function readMedia(session: Session, id: string, signal: AbortSignal): Promise<Media> {
  const { href, element } = await readEntity(session, id, ['media'], signal);
  const { name = '', size } = element.attributes;
  const bytes = Number(size);
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new Fault('cloud.protocol', `${session.who}: the media "${name}" came without a size`);
  }
  const notes = child(element, 'Description')?.text ?? '';
  return { kind: 'media', href, name, status: statusOf(element), bytes, description: mediaPackage(name, bytes, notes) };
}

/** Why they cannot leave now. */
function obstacle(session: Session, { name, status }: Media): Fault | undefined {
  if (status === STATUS.resolved) return undefined;
  if (status === STATUS.unresolved) {
    return new Fault('object.busy', `${session.who}: the media "${name}" are still being uploaded`, { retry: 'later' });
  }
  return new Fault('machine.unsupported', `${session.who}: the media "${name}" are not usable (status ${status})`, {
    remedy: 'Their upload failed or was given up: remove them in Cloud Director and upload them again.',
  });
}

export async function checkMedia(session: Session, id: string, signal: AbortSignal): Promise<Check[]> {
  const media = await readMedia(session, id, signal);
  const fault = obstacle(session, media);
  return [
    fault === undefined
      ? { name: 'object-usable', outcome: 'pass', found: `The media "${media.name}" are whole.` }
      : { name: 'object-usable', outcome: 'fail', found: `${fault.message}.`, remedy: fault.remedy },
  ];
}

/** By `enableDownload`, as templates; the file is read by ranges. */
export async function openMedia(session: Session, id: string, context: WorkContext): Promise<OpenExport> {
  const media = await readMedia(session, id, context.signal);
  const fault = obstacle(session, media);
  if (fault !== undefined) throw fault;
  const area = await openArea(session, media, context);
  let closing: Promise<void> | undefined;
  return {
    description: media.description,
    version: `media:${uuidOf(media.href)}:${media.bytes}`,
    async *read(file, signal): AsyncGenerator<DataBlock> {
      const label = `${session.who}: "${media.name}"`;
      if (file !== MEDIA_FILE) throw new Fault('object.missing', `${label}: there is no file "${file}" in it`);
      const bytes = fileBytes(session, area.descriptor, `read "${media.name}"`, signal);
      yield* blocksOfFile(bytes, media.bytes, label);
    },
    close() {
      closing ??= closeArea(session, media, area, context).catch((error: unknown) => {
        closing = undefined;
        throw error;
      });
      return closing;
    },
  };
}
