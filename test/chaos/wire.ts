import { connect, createServer, type Server, type Socket } from 'node:net';

/** `up`: from who dialled to who is dialled. */
export type Direction = 'up' | 'down';

interface Pair {
  ends: Record<Direction, Socket>;
  /** Nothing goes through any more, and neither end hears so. */
  dead: boolean;
}

interface Flip {
  direction: Direction;
  /** Bytes that still pass unharmed. */
  afterBytes: number;
  done: () => void;
}

/**
 * A TCP way between two parts that can be cut, go silent, be slow, or change a bit of what it carries. Between the dialling
 * end and `target`, which is asked at each connection.
 */
export class Wire implements AsyncDisposable {
  /** `host:port` to dial instead of the target. */
  readonly address: string;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #waiting = new Set<() => void>();
  #flip: Flip | null = null;
  #hung = false;
  #refusing = false;
  #lagMilliseconds = 0;

  private constructor(server: Server, target: () => string) {
    this.#server = server;
    const { port } = server.address() as { port: number };
    this.address = `127.0.0.1:${port}`;
    server.on('connection', (socket) => void this.#carry(socket, target));
  }

  static async open(target: () => string): Promise<Wire> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new Wire(server, target);
  }

  /** Connections that carry something now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Resets every connection, and every new one until `heal`. */
  cut(): void {
    this.#refusing = true;
    for (const pair of [...this.#pairs]) this.#reset(pair);
  }

  /** Every connection goes silent for good, without either end being told; new ones get no further until `heal`. */
  hang(): void {
    this.#hung = true;
    for (const pair of this.#pairs) pair.dead = true;
  }

  /** Each chunk waits so long. */
  lag(milliseconds: number): void {
    this.#lagMilliseconds = milliseconds;
  }

  /** Inverts one bit, once so many bytes more have passed in that direction. Resolves when it is done. */
  flip(direction: Direction, afterBytes: number): Promise<void> {
    return new Promise((done) => {
      this.#flip = { direction, afterBytes, done };
    });
  }

  heal(): void {
    this.#hung = false;
    this.#refusing = false;
    this.#lagMilliseconds = 0;
    this.#flip = null;
    for (const go of [...this.#waiting]) go();
    this.#waiting.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.heal();
    for (const pair of [...this.#pairs]) this.#reset(pair);
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #carry(dialling: Socket, target: () => string): Promise<void> {
    dialling.on('error', () => {});
    if (this.#refusing) {
      dialling.resetAndDestroy();
      return;
    }
    if (this.#hung) await new Promise<void>((go) => this.#waiting.add(go));
    if (dialling.destroyed) return;
    const [host = '', port = ''] = target().split(':');
    const dialled = connect({ host, port: Number(port), allowHalfOpen: true });
    dialled.on('error', () => {});
    const pair: Pair = { ends: { up: dialled, down: dialling }, dead: false };
    this.#pairs.add(pair);
    this.#join(pair, dialling, dialled, 'up');
    this.#join(pair, dialled, dialling, 'down');
  }

  #join(pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    from.setNoDelay(true);
    from.on('data', (chunk: Buffer) => {
      if (pair.dead) return;
      const bytes = this.#harm(chunk, direction);
      const lag = this.#lagMilliseconds;
      if (lag > 0) {
        from.pause();
        setTimeout(() => {
          if (!pair.dead) to.write(bytes);
          from.resume();
        }, lag);
      } else if (!to.write(bytes)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    from.on('end', () => {
      if (!pair.dead) to.end();
    });
    from.on('close', () => {
      if (pair.dead) {
        if (to.destroyed) this.#pairs.delete(pair);
        return;
      }
      this.#pairs.delete(pair);
      if (!to.destroyed) to.destroySoon();
    });
  }

  #harm(chunk: Buffer, direction: Direction): Buffer {
    const flip = this.#flip;
    if (flip === null || flip.direction !== direction) return chunk;
    if (flip.afterBytes >= chunk.length) {
      flip.afterBytes -= chunk.length;
      return chunk;
    }
    const harmed = Buffer.from(chunk);
    harmed[flip.afterBytes] = (harmed[flip.afterBytes] ?? 0) ^ 0x10;
    this.#flip = null;
    flip.done();
    return harmed;
  }

  #reset(pair: Pair): void {
    this.#pairs.delete(pair);
    for (const socket of Object.values(pair.ends)) socket.resetAndDestroy();
  }
}
