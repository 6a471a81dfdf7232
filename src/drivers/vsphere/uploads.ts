import { createHash } from 'node:crypto';
import { BLOCK_BYTES, type DataBlock } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import { encodeVmdk } from '../../ovf/vmdk/encode.ts';
import type { DiskFeed, ImportProgress } from '../driver.ts';
import { isVimFault, toFault } from './faults.ts';
import type { DeviceUrl, Lease, ManifestEntry } from './lease.ts';
import { busy, type Session } from './session.ts';
import { element, leaf } from './soap.ts';

export interface DiskUpload {
  feed: DiskFeed;
  file: DeviceUrl;
  /** Bytes of the disk as the server made it: a multiple of 1 KiB, not less than the feed's. */
  capacityBytes: number;
  label: string;
}

interface Sent {
  upload: DiskUpload;
  sha1: string;
  sha256: string;
  bytes: number;
}

/**
 * Sends the disks, all at the same time, each as its blocks arrive. Resolves with the checksums on which the cloud's
 * manifest agrees, by disk. Faults: `lease.expired`, `transfer.mismatch`, `cloud.failed`, `cloud.unreachable`.
 */
export async function uploadDisks(
  session: Session,
  lease: Lease,
  uploads: readonly DiskUpload[],
  signal: AbortSignal,
  progress: (progress: ImportProgress) => void,
): Promise<Record<string, string>> {
  await askForSha256(session, lease, uploads, signal);
  const stop = new AbortController();
  const all = AbortSignal.any([signal, stop.signal, lease.lost]);
  const given = new Map<string, number>();
  const total = uploads.reduce((sum, upload) => sum + upload.capacityBytes, 0);
  const report = (told: ImportProgress) => {
    given.set(told.disk, told.givenBytes);
    lease.percent = (given.values().reduce((sum, bytes) => sum + bytes, 0) / Math.max(1, total)) * 100;
    progress(told);
  };
  const sending = uploads.map(async (upload) => {
    try {
      return await send(session, lease, upload, all, report);
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  const results = await Promise.allSettled(sending);
  signal.throwIfAborted();
  if (stop.signal.aborted) throw await explain(session, lease, stop.signal.reason);
  const sent = results.filter((result) => result.status === 'fulfilled').map((result) => result.value);
  return compare(session, await readManifest(session, lease, signal), sent);
}

async function send(
  session: Session,
  lease: Lease,
  upload: DiskUpload,
  signal: AbortSignal,
  progress: (progress: ImportProgress) => void,
): Promise<Sent> {
  const { feed, file, capacityBytes } = upload;
  const sha1 = createHash('sha1');
  const sha256 = createHash('sha256');
  let bytes = 0;
  let broken: { reason: unknown } | undefined;
  const counted = async function* (): AsyncGenerator<DataBlock> {
    try {
      for await (const block of feed.blocks(0, signal)) {
        yield block;
        const givenBytes = Math.min(feed.capacityBytes, (block.index + 1) * BLOCK_BYTES);
        progress({ disk: feed.disk, givenBytes });
      }
    } catch (reason) {
      broken = { reason };
      throw reason;
    }
  };
  const body = async function* () {
    for await (const chunk of encodeVmdk({ capacityBytes, blocks: counted(), signal })) {
      sha1.update(chunk);
      sha256.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  const sending = lease.http(file).request({
    method: 'POST',
    url: file.url,
    headers: { ...lease.headers(file), 'content-type': 'application/x-vnd.vmware-streamVmdk', overwrite: 't' },
    body: body(),
    signal,
  });
  // A feed that broke is the cause, whatever HTTP makes of the half-sent request.
  const response = await sending.catch((error: unknown) => {
    throw broken === undefined ? error : broken.reason;
  });
  const text = await response.text(1024 * 1024);
  if (response.status === 429 || response.status === 503) throw busy(session.who, response);
  if (response.status < 200 || response.status > 299) {
    const why = text.trim().slice(0, 300);
    throw new Fault(
      'cloud.failed',
      `${session.who}: ${upload.label}: ${file.url.host} answered HTTP ${response.status} ${why}`,
    );
  }
  progress({ disk: feed.disk, givenBytes: feed.capacityBytes });
  return { upload, sha1: sha1.digest('hex'), sha256: sha256.digest('hex'), bytes };
}

/** A broken connection because the server ended the lease is told as what it is. */
async function explain(session: Session, lease: Lease, error: unknown): Promise<unknown> {
  if (lease.lost.aborted) return lease.lost.reason;
  if (error instanceof Fault && error.code !== 'cloud.unreachable' && error.code !== 'cloud.failed') return error;
  try {
    if (!(await lease.survived(AbortSignal.timeout(10_000)))) return lease.lost.reason;
  } catch {
    // The API does not answer either: the first error says more.
  }
  return toFault(error, session.who, 'sending a disk');
}

/** Newer servers can compute SHA-256 instead of SHA-1; older ones do not know the call. */
async function askForSha256(
  session: Session,
  lease: Lease,
  uploads: readonly DiskUpload[],
  signal: AbortSignal,
): Promise<void> {
  const content = uploads
    .map(({ file }) => element('deviceUrlsToChecksumTypes', leaf('key', file.key), leaf('value', 'sha256')))
    .join('');
  try {
    await session.call('HttpNfcLeaseSetManifestChecksumType', lease.ref, signal, { content });
  } catch (error) {
    signal.throwIfAborted();
    if (!isVimFault(error, 'MethodNotFound', 'NotSupported', 'NotImplemented', 'InvalidArgument', 'InvalidRequest')) {
      throw toFault(error, session.who, 'choosing the checksum');
    }
  }
}

async function readManifest(session: Session, lease: Lease, signal: AbortSignal): Promise<ManifestEntry[]> {
  try {
    return await lease.manifest(signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isVimFault(error, 'MethodNotFound', 'NotSupported', 'NotImplemented')) return [];
    throw await explain(session, lease, toFault(error, session.who, 'reading the manifest'));
  }
}

function compare(session: Session, manifest: readonly ManifestEntry[], sent: readonly Sent[]): Record<string, string> {
  const checksums: Record<string, string> = {};
  for (const { upload, sha1, sha256, bytes } of sent) {
    const entry = manifest.find((item) => item.key === upload.file.key);
    if (entry === undefined) continue;
    const has256 = entry.checksumType === 'sha256' && entry.checksum !== '';
    const [theirs, ours, name] = has256 ? [entry.checksum, sha256, 'sha256'] : [entry.sha1, sha1, 'sha1'];
    if (theirs === '') continue;
    if (theirs !== ours || (entry.sizeBytes !== 0 && entry.sizeBytes !== bytes)) {
      const { who } = session;
      throw new Fault('transfer.mismatch', `${who}: ${upload.label}: the cloud stored other bytes than were sent`, {
        details: { sent: ours, stored: theirs, sentBytes: bytes, storedBytes: entry.sizeBytes },
      });
    }
    checksums[upload.feed.disk] = `${name}:${ours}`;
  }
  return checksums;
}
