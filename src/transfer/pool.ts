import { BLOCK_BYTES } from '../model/block-map.ts';
import { Slabs } from './slabs.ts';

/** Blocks that one process holds in memory for transfers, both sides together, save what shares are entitled to. */
const PROCESS_BLOCKS = 64;

export interface ShareOptions {
  /** Most buffers that this share holds at once. */
  most: number;
  /**
   * Buffers that the share gets even when the pool is used up, so that no holder waits for another one for ever.
   * The pool may exceed its limit by these only.
   */
  entitled: number;
  /** Asked when somebody waits: frees one buffer that is held for convenience only. False when there is none. */
  reclaim?: () => boolean;
}

interface Waiter {
  resolve: (buffer: Buffer) => void;
  reject: (reason: unknown) => void;
  stop: () => void;
}

/** One holder's part of a pool. Buffers hold arbitrary bytes when they are taken. */
export class Share {
  readonly #pool: BlockPool;
  readonly #options: ShareOptions;
  readonly #waiters: Waiter[] = [];
  readonly #slabs = new Slabs();
  held = 0;
  closed = false;

  constructor(pool: BlockPool, options: ShareOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  get most(): number {
    return this.#options.most;
  }

  get entitled(): number {
    return this.#options.entitled;
  }

  get waiting(): boolean {
    return this.#waiters.length > 0;
  }

  /**
   * A place for `bytes`, at most BLOCK_BYTES; small ones lie together in one buffer of the pool. Waits its turn. Rejects
   * with the signal's reason, or when the share is closed.
   */
  async takePart(bytes: number, signal?: AbortSignal): Promise<Buffer> {
    if (bytes === BLOCK_BYTES) return this.take(signal);
    return this.#slabs.cut(bytes) ?? this.#slabs.cutFrom(await this.take(signal), bytes, (whole) => this.give(whole));
  }

  /** A buffer of BLOCK_BYTES; waits its turn. Rejects with the signal's reason, or when the share is closed. */
  take(signal?: AbortSignal): Promise<Buffer> {
    signal?.throwIfAborted();
    if (this.closed) return Promise.reject(new Error('the share of the block pool is closed'));
    const buffer = this.#waiters.length === 0 ? this.tryTake() : null;
    if (buffer !== null) return Promise.resolve(buffer);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const at = this.#waiters.indexOf(waiter);
        if (at >= 0) this.#waiters.splice(at, 1);
        reject(signal?.reason);
      };
      const waiter: Waiter = { resolve, reject, stop: () => signal?.removeEventListener('abort', onAbort) };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
      this.#pool.relieve();
    });
  }

  /** A buffer, or null when the caller would have to wait. */
  tryTake(): Buffer | null {
    if (this.closed || !this.#pool.grants(this)) return null;
    this.held++;
    return this.#pool.draw();
  }

  /** Gives back a buffer, or a part of one. It must not be touched afterwards. */
  give(buffer: Buffer): void {
    if (this.#slabs.takeBack(buffer)) return;
    this.held--;
    this.#pool.restore(buffer);
  }

  reclaim(): boolean {
    return this.#options.reclaim?.() ?? false;
  }

  /** Serves the first waiter; false when none waits or none may be served. */
  serve(): boolean {
    if (this.#waiters.length === 0) return false;
    const buffer = this.tryTake();
    if (buffer === null) return false;
    const waiter = this.#waiters.shift()!;
    waiter.stop();
    waiter.resolve(buffer);
    return true;
  }

  /** Turns waiters away. Buffers that are still out come back by `give` as before. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const waiter of this.#waiters.splice(0)) {
      waiter.stop();
      waiter.reject(new Error('the share of the block pool was closed'));
    }
    this.#pool.leave(this);
  }
}

/**
 * A bounded number of block buffers, divided among holders. A holder gets what it is entitled to at once, more as long
 * as the pool has some and the holder has not more than its even part while others wait.
 */
export class BlockPool {
  readonly limit: number;
  readonly #free: Buffer[] = [];
  readonly #shares = new Set<Share>();
  #used = 0;
  /** Of all shares together. */
  #entitled = 0;
  #relieving = false;

  constructor(limitBlocks: number) {
    this.limit = limitBlocks;
  }

  /** Buffers that are out. */
  get used(): number {
    return this.#used;
  }

  share(options: ShareOptions): Share {
    const share = new Share(this, options);
    this.#shares.add(share);
    this.#entitled += options.entitled;
    return share;
  }

  grants(share: Share): boolean {
    if (share.held < share.entitled) return true;
    if (share.held >= share.most || this.#used >= this.limit) return false;
    const part = Math.ceil(this.limit / this.#shares.size);
    if (share.held < part) return true;
    for (const other of this.#shares) if (other !== share && other.waiting) return false;
    return true;
  }

  draw(): Buffer {
    this.#used++;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  restore(buffer: Buffer): void {
    this.#used--;
    this.#free.push(buffer);
    this.#trim();
    this.#serve();
  }

  leave(share: Share): void {
    this.#shares.delete(share);
    this.#entitled -= share.entitled;
    this.#trim();
    this.#serve();
  }

  /** Asks every share for a buffer that it can do without. */
  relieve(): void {
    if (this.#relieving) return;
    this.#relieving = true;
    try {
      for (const share of this.#shares) share.reclaim();
    } finally {
      this.#relieving = false;
    }
    this.#serve();
  }

  /** Keeps as many as may be out at once: one that is let go is made anew a moment later, and is garbage until then. */
  #trim(): void {
    while (this.#free.length > 0 && this.#free.length + this.#used > this.limit + this.#entitled) this.#free.pop();
  }

  #serve(): void {
    for (let served = true; served; ) {
      served = false;
      for (const share of this.#shares) {
        if (!share.serve()) continue;
        served = true;
        this.#shares.delete(share);
        this.#shares.add(share);
      }
    }
  }
}

/** The pool of this process. */
export const blockPool = new BlockPool(PROCESS_BLOCKS);
