interface Slab {
  whole: Buffer;
  used: number;
  parts: number;
  giveBack: (whole: Buffer) => void;
}

/** Small places side by side in whole buffers, each of which goes back when the last place in it does. */
export class Slabs {
  readonly #slabs = new Map<ArrayBufferLike, Slab>();
  /** The one that is being filled. */
  #open: Slab | null = null;

  /** A place in the open slab; null when it has no room. */
  cut(bytes: number): Buffer | null {
    const slab = this.#open;
    if (slab === null || slab.used + bytes > slab.whole.length) return null;
    const part = slab.whole.subarray(slab.used, slab.used + bytes);
    slab.used += bytes;
    slab.parts++;
    return part;
  }

  /** Opens a slab in `whole`, which lies in an ArrayBuffer of its own, and cuts the first place out of it. */
  cutFrom(whole: Buffer, bytes: number, giveBack: (whole: Buffer) => void): Buffer {
    const slab: Slab = { whole, used: bytes, parts: 1, giveBack };
    this.#slabs.set(whole.buffer, slab);
    this.#open = slab;
    return whole.subarray(0, bytes);
  }

  /** False for a buffer that was not cut here. */
  takeBack(part: Buffer): boolean {
    const slab = this.#slabs.get(part.buffer);
    if (slab === undefined) return false;
    if (--slab.parts > 0) return true;
    this.#slabs.delete(part.buffer);
    if (this.#open === slab) this.#open = null;
    slab.giveBack(slab.whole);
    return true;
  }
}
