import { type FileHandle, lstat } from 'node:fs/promises';
import { Fault } from '../../../model/fault.ts';
import { fileFault, openPlain } from '../files.ts';

/** Bytes that can be read from any place: a file of the folder, or one behind an address. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** Equal = the same bytes. */
  readonly version: string;
  /** From `from` up to `to`. Faults of the place; a source that is shorter than it said is `cloud.unreachable`. */
  read(from: number, to: number, signal: AbortSignal): AsyncGenerator<Uint8Array>;
}

const CHUNK_BYTES = 1024 * 1024;
/** Read at once while an archive is looked through. */
const INDEX_BYTES = 64 * 1024;

export async function fileSource(path: string, who: string): Promise<ByteSource> {
  const fault = (error: unknown) => fileFault(error, who, 'read it');
  const stats = await lstat(path).catch((error) => {
    throw fault(error);
  });
  return {
    sizeBytes: stats.size,
    version: `${stats.size}@${stats.mtimeMs}`,
    async *read(from, to, signal) {
      let file: FileHandle | undefined;
      try {
        file = await openPlain(path);
        for (let at = from; at < to; ) {
          signal.throwIfAborted();
          const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at));
          const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
          if (bytesRead === 0) throw new Fault('cloud.unreachable', `${who}: it became shorter while it was read`);
          yield buffer.subarray(0, bytesRead);
          at += bytesRead;
        }
      } catch (error) {
        signal.throwIfAborted();
        throw fault(error);
      } finally {
        await file?.close();
      }
    },
  };
}

/** A source as a stream that can pass over bytes without reading them (see `ByteReader`). */
export function seekable(source: ByteSource, signal: AbortSignal) {
  let at = 0;
  return {
    /** Moves behind `length` bytes, or to the end; says how many there were. */
    async pass(length: number): Promise<number> {
      const passed = Math.min(length, source.sizeBytes - at);
      at += passed;
      return passed;
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
      while (at < source.sizeBytes) {
        const to = Math.min(source.sizeBytes, at + INDEX_BYTES);
        for await (const chunk of source.read(at, to, signal)) {
          at += chunk.length;
          const here = at;
          yield chunk;
          // The reader passed over something: what would come next is not wanted.
          if (at !== here) break;
        }
      }
    },
  };
}
