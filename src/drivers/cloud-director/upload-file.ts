import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import { EncodedBytes, type EncodedDisk } from './encoded-disk.ts';
import type { Session } from './session.ts';
import { fileNamed, filesOf, isAlive, pollTemplate, type TransferFile } from './transfer-files.ts';

/** Bytes of one ranged PUT. */
export const RANGE_BYTES = 32 * 1024 * 1024;
/** Broken connections without a byte in between. */
export const ATTEMPTS = 5;
export const PAUSE_MILLISECONDS = 300;

export interface FileUpload {
  session: Session;
  /** Address of the template that is uploaded to. */
  template: string;
  encoded: EncodedDisk;
  what: string;
  signal: AbortSignal;
  /** Told with logical bytes of the disk after every range. */
  given(bytes: number): void;
}

/**
 * Writes one disk by ranged PUTs of its file, each streamed as it is encoded. After a broken connection, an ended session
 * or a 416 the cloud is asked for `bytesTransferred` and the same file is encoded again up to there, which is allowed
 * because the encoding is deterministic. Returns the file's SHA-256 when `needDigest`, also if nothing was left to send.
 */
export async function uploadFile(upload: FileUpload, needDigest: boolean): Promise<string | undefined> {
  const { session, encoded, signal, what } = upload;
  let failures = 0;
  for (let offset = -1; ; ) {
    const file = await state(upload);
    if (file === null) break;
    if (file.bytesTransferred > offset) failures = 0;
    offset = file.bytesTransferred;
    if (offset >= file.size && !needDigest) break;
    const bytes = new EncodedBytes(encoded, offset, signal);
    try {
      await send(upload, file, bytes);
      const digest = needDigest ? await bytes.digest() : undefined;
      upload.given(encoded.feed.capacityBytes);
      return digest;
    } catch (error) {
      if (!(error instanceof Fault) || !canGoOn(error) || ++failures >= ATTEMPTS) throw error;
      session.log.warn(`${what}: the upload broke, asking how far it came`, { fault: error.code });
      await delay(PAUSE_MILLISECONDS * failures, signal);
    } finally {
      await bytes.close();
    }
  }
  upload.given(encoded.feed.capacityBytes);
  return undefined;
}

/** null once the cloud has the file: it shows it no longer, or without a link to write to. */
async function state({ session, template, encoded, what, signal }: FileUpload): Promise<TransferFile | null> {
  const seen = await pollTemplate(session, template, what, isAlive, signal);
  const taken = filesOf(seen).find(({ name }) => name === encoded.fileName)?.href === '';
  return taken || filesOf(seen).length === 0 ? null : fileNamed(session, seen, encoded.fileName);
}

async function send(
  { session, what, signal, given }: FileUpload,
  file: { href: string; size: number; bytesTransferred: number },
  bytes: EncodedBytes,
): Promise<void> {
  for (let offset = file.bytesTransferred; offset < file.size; ) {
    const length = Math.min(RANGE_BYTES, file.size - offset);
    const response = await session.call({
      method: 'PUT',
      href: file.href,
      what,
      accept: '*/*',
      headers: {
        'content-length': String(length),
        'content-range': `bytes ${offset}-${offset + length - 1}/${file.size}`,
      },
      body: bytes.take(length),
      signal,
    });
    await response.text();
    offset += length;
    given(bytes.givenBytes);
  }
}

/** Whether the cloud may be asked how far it came. */
export function canGoOn(fault: Fault): boolean {
  return fault.code === 'cloud.unreachable' || fault.code === 'cloud.session' || fault.details?.status === 416;
}
