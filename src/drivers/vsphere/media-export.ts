import { delay } from '../../base/backoff.ts';
import { blocksOfFile } from '../../base/file-blocks.ts';
import type { DataBlock } from '../../model/block-map.ts';
import type { Check } from '../../model/check.ts';
import { Fault } from '../../model/fault.ts';
import { MEDIA_FILE } from '../../model/media.ts';
import type { OpenExport } from '../driver.ts';
import { findFile, urlPathOf } from './datastore-files.ts';
import { identityOf, type Media, readMedia } from './media.ts';
import type { Session } from './session.ts';

/** Broken connections without a byte in between. */
const ATTEMPTS = 5;
const PAUSE_MILLISECONDS = 300;

export async function checkMedia(session: Session, id: string, signal: AbortSignal): Promise<Check[]> {
  const { file, store } = await readMedia(session, id, signal);
  return [{ name: 'object-usable', outcome: 'pass', found: `"${file.name}" lies on datastore "${store.name}".` }];
}

/** Nothing is made for it in the cloud. */
export async function openMedia(session: Session, id: string, openSignal: AbortSignal): Promise<OpenExport> {
  const media = await readMedia(session, id, openSignal);
  const closed = new AbortController();
  return {
    description: media.description,
    version: `file:${identityOf(media.file)}`,
    async *read(file, signal): AsyncGenerator<DataBlock> {
      const label = `${session.who}: ${media.id}`;
      if (file !== MEDIA_FILE) throw new Fault('object.missing', `${label}: there is no file "${file}" in it`);
      const until = AbortSignal.any([signal, closed.signal]);
      yield* blocksOfFile(bytesOf(session, media, label, until), media.file.bytes, label);
      const now = await findFile(session, media.store, media.path, until);
      if (now !== undefined && identityOf(now) === identityOf(media.file)) return;
      throw new Fault('disk.changed', `${label} changed while it was read`, {
        retry: 'later',
        remedy: 'Wait until nothing writes to it, then retry.',
      });
    },
    async close() {
      closed.abort(new Fault('cloud.session', `${session.who}: ${media.id} is closed`));
    },
  };
}

/** From the beginning to the end; a broken connection is gone on with by a range. */
async function* bytesOf(
  session: Session,
  { store, path, file }: Media,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for (let position = 0, failures = 0; position < file.bytes; ) {
    const before = position;
    try {
      const headers = { range: `bytes=${position}-`, 'accept-encoding': 'identity' };
      const response = await session.file(urlPathOf(store, path), { method: 'GET', headers, signal });
      const { status } = response;
      if (status !== 200 && status !== 206) {
        response.body.destroy();
        const code =
          status === 404 ? 'object.missing' : status === 401 || status === 403 ? 'auth.forbidden' : 'cloud.failed';
        throw new Fault(code, `${label}: ${session.url.host} answered HTTP ${status}`);
      }
      const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '');
      if (status === 206 && Number(range?.[1]) !== position) {
        response.body.destroy();
        throw new Fault('cloud.protocol', `${label}: asked for byte ${position}, given from ${range?.[1]}`);
      }
      // A server that knows no ranges gives what is known already once more.
      let skip = status === 206 ? 0 : position;
      for await (const chunk of session.chunks(response, signal)) {
        const part = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - part.length;
        position += part.length;
        if (part.length > 0) yield part;
      }
      // What ended before its end is told by whoever counts.
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault) || error.code !== 'cloud.unreachable') throw error;
      failures = position > before ? 1 : failures + 1;
      if (failures >= ATTEMPTS) throw error;
      session.log.warn(`${label}: the connection broke at byte ${position}, going on from there`);
      await delay(PAUSE_MILLISECONDS * failures, signal);
    }
  }
}
