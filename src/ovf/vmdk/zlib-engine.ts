import {
  constants,
  createDeflate,
  createInflate,
  type Deflate,
  deflateSync,
  type Inflate,
  inflateSync,
  type ZlibOptions,
} from 'node:zlib';

/**
 * One zlib stream from `input` into `output`, synchronously. Returns the bytes written, or null when `output` is too
 * small. Throws an Error with zlib's reason when the input is no whole zlib stream.
 */
export type ZlibRun = (input: Buffer, output: Buffer) => number | null;

interface Handle {
  onerror: (message: string) => void;
  writeSync(
    flush: number,
    input: Buffer,
    inputOffset: number,
    inputLength: number,
    output: Buffer,
    outputOffset: number,
    outputLength: number,
  ): void;
}

interface Internals {
  _handle?: Partial<Handle> | null;
  /** [free bytes of the output, unread bytes of the input] after a write. */
  _writeState?: Uint32Array;
}

/**
 * Node's public synchronous calls set up a whole stream object per call, which costs as much as a 64 KiB grain takes.
 * The handle below it can be reset and used again; where a later Node hides it, the public call does the work.
 */
function reusable(stream: Deflate | Inflate): ZlibRun | null {
  const { _handle: handle, _writeState: state } = stream as unknown as Internals;
  if (typeof handle?.writeSync !== 'function' || !(state instanceof Uint32Array)) return null;
  let failure: string | null = null;
  handle.onerror = (message) => {
    failure = message;
  };
  const { writeSync } = handle;
  return (input, output) => {
    failure = null;
    stream.reset();
    writeSync.call(handle, constants.Z_FINISH, input, 0, input.length, output, 0, output.length);
    if (failure !== null) throw new Error(failure);
    const free = state[0] ?? 0;
    return free === 0 ? null : output.length - free;
  };
}

function copied(result: Buffer, output: Buffer): number | null {
  if (result.length >= output.length) return null;
  result.copy(output);
  return result.length;
}

/** The output needs room for one byte more than what is expected: a full output counts as too small. */
export function inflater(): ZlibRun {
  const slow: ZlibRun = (input, output) => {
    try {
      return copied(inflateSync(input, { maxOutputLength: output.length }), output);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return null;
      throw error;
    }
  };
  return reusable(createInflate()) ?? slow;
}

/** Level 0 stores. */
export function deflater(level: number): ZlibRun {
  const options: ZlibOptions = { level, memLevel: 9 };
  return reusable(createDeflate(options)) ?? ((input, output) => copied(deflateSync(input, options), output));
}
