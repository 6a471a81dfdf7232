/** A source that can go on behind bytes that nobody wants: `pass` says how many there were. */
interface Passing {
  pass(length: number): Promise<number>;
}

/**
 * Reads an arriving byte stream in pieces of the reader's choice. Holds no more than one chunk of the source and the
 * piece that is being put together.
 */
export class ByteReader {
  /** Bytes handed out so far: the offset of the next one. */
  position = 0;
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #pass: Passing['pass'] | undefined;
  readonly #onAbort = (): void => this.#interrupt?.(this.#signal.reason);
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #ended = false;
  #interrupt: ((reason: unknown) => void) | undefined;

  constructor(source: AsyncIterable<Uint8Array> & Partial<Passing>, signal: AbortSignal) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#pass = source.pass?.bind(source);
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Makes sure that there is at least one byte; false at the end of the source. */
  async #more(): Promise<boolean> {
    while (this.#at === this.#chunk.length) {
      if (this.#ended) return false;
      this.#signal.throwIfAborted();
      const result = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        this.#interrupt = reject;
        this.#iterator.next().then(resolve, reject);
      });
      this.#interrupt = undefined;
      if (result.done) this.#ended = true;
      else {
        this.#chunk = result.value;
        this.#at = 0;
      }
    }
    return true;
  }

  /** Copies up to `length` bytes to `target` and says how many there were: fewer only at the end of the source. */
  async readInto(target: Uint8Array, offset: number, length: number): Promise<number> {
    let done = 0;
    while (done < length) {
      if (this.#at === this.#chunk.length && !(await this.#more())) break;
      const size = Math.min(length - done, this.#chunk.length - this.#at);
      target.set(this.#chunk.subarray(this.#at, this.#at + size), offset + done);
      this.#at += size;
      this.position += size;
      done += size;
    }
    return done;
  }

  /** The next `length` bytes, or as many as there are before the end. The buffer is the caller's. */
  async read(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    const size = await this.readInto(bytes, 0, length);
    return bytes.subarray(0, size);
  }

  /** The next bytes as they lie in the source, at most `limit`; empty at the end. Valid until the next call. */
  async some(limit: number): Promise<Uint8Array> {
    if (limit === 0 || !(await this.#more())) return new Uint8Array(0);
    const size = Math.min(limit, this.#chunk.length - this.#at);
    const bytes = this.#chunk.subarray(this.#at, this.#at + size);
    this.#at += size;
    this.position += size;
    return bytes;
  }

  /** Passes over `length` bytes and says how many there were. */
  async skip(length: number): Promise<number> {
    let done = 0;
    while (done < length) {
      if (this.#at === this.#chunk.length && this.#pass !== undefined) {
        const passed = await this.#pass(length - done);
        this.position += passed;
        return done + passed;
      }
      const bytes = await this.some(length - done);
      if (bytes.length === 0) break;
      done += bytes.length;
    }
    return done;
  }

  /** Ends the source. Idempotent; never waits for a source that hangs. */
  close(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (this.#ended) return;
    this.#ended = true;
    this.#chunk = new Uint8Array(0);
    this.#at = 0;
    this.#iterator.return?.().catch(() => undefined);
  }
}
