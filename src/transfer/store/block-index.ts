const ID_BYTES = 32;
const FIRST_CAPACITY = 256;
/** No entry. */
export const NONE = 0xffffffff;

/**
 * Where the blocks of one owner lie, as flat arrays: 50 bytes a block and the slots of an open hash table. Ids are 32
 * bytes that look random. An entry keeps its number until it is removed; the entries of a segment are chained.
 */
export class BlockIndex {
  /** Entries that are there. */
  size = 0;
  #capacity = FIRST_CAPACITY;
  #ids = Buffer.alloc(FIRST_CAPACITY * ID_BYTES);
  #segments = new Uint32Array(FIRST_CAPACITY);
  #offsets = new Uint32Array(FIRST_CAPACITY);
  #lengths = new Uint32Array(FIRST_CAPACITY);
  #nexts = new Uint32Array(FIRST_CAPACITY);
  #references = new Uint16Array(FIRST_CAPACITY);
  /** Entry number + 1; 0 is free. Linear probing, at most 3/4 full. */
  #slots = new Uint32Array(FIRST_CAPACITY * 2);
  /** Entries that were used so far; removed ones are chained from `#free`. */
  #used = 0;
  #free = NONE;

  /** The entry of an id, or NONE. */
  find(id: Uint8Array): number {
    const mask = this.#slots.length - 1;
    for (let slot = slotOf(id, 0) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      if (entry === 0) return NONE;
      const at = (entry - 1) * ID_BYTES;
      if (this.#ids.compare(id, 0, ID_BYTES, at, at + ID_BYTES) === 0) return entry - 1;
    }
  }

  /** The id must not be there. `next`: the entry that follows it in its segment. */
  add(id: Uint8Array, place: { segment: number; offset: number; length: number }, next: number): number {
    if ((this.size + 1) * 4 > this.#slots.length * 3) this.#rehash(this.#slots.length * 2);
    let entry = this.#free;
    if (entry !== NONE) this.#free = this.#nexts[entry]!;
    else {
      if (this.#used === this.#capacity) this.#grow();
      entry = this.#used++;
    }
    this.#ids.set(id, entry * ID_BYTES);
    this.#references[entry] = 0;
    this.#nexts[entry] = next;
    this.move(entry, place);
    this.size++;
    this.#occupy(entry);
    return entry;
  }

  /** The caller has taken it out of its segment's chain. */
  remove(entry: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = slotOf(this.#ids, entry * ID_BYTES) & mask;
    while (slots[hole] !== entry + 1) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = slotOf(this.#ids, (slots[slot]! - 1) * ID_BYTES) & mask;
      // An entry moves back as far as its own home allows.
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      slots[hole] = slots[slot]!;
      hole = slot;
    }
    slots[hole] = 0;
    this.#nexts[entry] = this.#free;
    this.#free = entry;
    this.size--;
  }

  move(entry: number, place: { segment: number; offset: number; length: number }): void {
    this.#segments[entry] = place.segment;
    this.#offsets[entry] = place.offset;
    this.#lengths[entry] = place.length;
  }

  /** A copy. */
  id(entry: number): Buffer {
    return Buffer.from(this.#ids.subarray(entry * ID_BYTES, (entry + 1) * ID_BYTES));
  }

  segment(entry: number): number {
    return this.#segments[entry]!;
  }

  /** Where the data begins in its segment. */
  offset(entry: number): number {
    return this.#offsets[entry]!;
  }

  length(entry: number): number {
    return this.#lengths[entry]!;
  }

  next(entry: number): number {
    return this.#nexts[entry]!;
  }

  setNext(entry: number, next: number): void {
    this.#nexts[entry] = next;
  }

  /** Transfers that refer to it. */
  references(entry: number): number {
    return this.#references[entry]!;
  }

  /** Answers how many there are then. */
  refer(entry: number, change: 1 | -1): number {
    const references = this.#references[entry]! + change;
    this.#references[entry] = references;
    return references;
  }

  /** Bytes of memory. */
  get bytes(): number {
    return this.#capacity * (ID_BYTES + 4 * 4 + 2) + this.#slots.byteLength;
  }

  #occupy(entry: number): void {
    const mask = this.#slots.length - 1;
    let slot = slotOf(this.#ids, entry * ID_BYTES) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  #rehash(length: number): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(length);
    for (const entry of old) if (entry !== 0) this.#occupy(entry - 1);
  }

  #grow(): void {
    const capacity = Math.ceil(this.#capacity * 1.5);
    const ids = Buffer.alloc(capacity * ID_BYTES);
    this.#ids.copy(ids);
    this.#ids = ids;
    this.#segments = grown(this.#segments, new Uint32Array(capacity));
    this.#offsets = grown(this.#offsets, new Uint32Array(capacity));
    this.#lengths = grown(this.#lengths, new Uint32Array(capacity));
    this.#nexts = grown(this.#nexts, new Uint32Array(capacity));
    this.#references = grown(this.#references, new Uint16Array(capacity));
    this.#capacity = capacity;
  }
}

function grown<T extends Uint32Array | Uint16Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

function slotOf(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Entry numbers, one bit each. */
export class EntrySet {
  #bits = new Uint32Array(8);

  has(entry: number): boolean {
    return ((this.#bits[entry >>> 5] ?? 0) & (1 << (entry & 31))) !== 0;
  }

  add(entry: number): void {
    const word = entry >>> 5;
    if (word >= this.#bits.length) this.#bits = grown(this.#bits, new Uint32Array(Math.ceil((word + 1) * 1.5)));
    this.#bits[word]! |= 1 << (entry & 31);
  }

  delete(entry: number): void {
    const word = entry >>> 5;
    if (word < this.#bits.length) this.#bits[word]! &= ~(1 << (entry & 31));
  }

  *[Symbol.iterator](): Iterator<number> {
    for (let word = 0; word < this.#bits.length; word++) {
      for (let bits = this.#bits[word]!; bits !== 0; bits &= bits - 1) yield word * 32 + 31 - Math.clz32(bits & -bits);
    }
  }
}
