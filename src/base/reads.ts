import type { Duplex } from 'node:stream';
import { chunkPassed } from './young-garbage.ts';

/** Takes what is read: `bytes` of it, at the beginning of `buffer`, until it returns. */
export type Reader = (buffer: Buffer, bytes: number) => void;

const BUFFER_BYTES = 64 * 1024;

interface Handle {
  useUserBuffer?: (buffer: Buffer) => void;
}

/**
 * Hands everything that the socket reads from now on to the reader, out of one buffer that is used again and again where
 * Node can do that. It costs less than half of the CPU time of a chunk of its own for every 16 KiB (a TLS record).
 *
 * Node has it as the option `onread` of sockets that it dials itself (`net.connect`, `tls.connect` without `socket`), and
 * not for those that were accepted, came through a proxy or began as HTTP. They are of the same class, so it is switched
 * on for them from outside; a release of Node that keeps it elsewhere gives chunks as usual, which works the same.
 */
export function readAll(socket: Duplex, reader: Reader): void {
  if (!shareBuffer(socket, reader)) {
    socket.on('data', (chunk: Buffer) => {
      chunkPassed(chunk.length);
      reader(chunk, chunk.length);
    });
    return;
  }
  // What had been read before.
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) reader(chunk, chunk.length);
  socket.resume();
}

function shareBuffer(socket: Duplex, reader: Reader): boolean {
  const handle = (socket as { _handle?: Handle | null })._handle;
  const [buffer, callback, next] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) => ownSymbol(socket, name));
  if (buffer === undefined || callback === undefined || next === undefined) return false;
  const readInto = handle?.useUserBuffer;
  if (typeof readInto !== 'function') return false;
  const shared = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const take = (bytes: number) => {
    reader(shared, bytes);
    return true;
  };
  readInto.call(handle, shared);
  Object.assign(socket, { [buffer]: shared, [callback]: take, [next]: null });
  return true;
}

function ownSymbol(socket: Duplex, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === description);
}
