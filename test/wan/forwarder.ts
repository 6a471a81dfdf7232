/**
 * The emulated line as a process of its own: `node forwarder.ts '{"near", "far", "there": DirectionOptions, "back": …}'`.
 * Makes two TUN devices, says `ready`, and carries packets between them until its stdin ends; then it says what it
 * counted. One thread that sleeps in ppoll and calls the kernel directly, so that a packet costs microseconds.
 */
import { constants, openSync, writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { Direction, type DirectionCounts, type DirectionOptions } from './direction.ts';
import { loadKoffi } from './koffi.ts';

export interface ForwarderOptions {
  near: string;
  far: string;
  there: DirectionOptions;
  back: DirectionOptions;
}

export interface ForwarderReport {
  there: DirectionCounts;
  back: DirectionCounts;
  cpuSeconds: number;
  /** Part of the packets that left more than 2 ms after their time, because this process did not get a processor. */
  late: number;
}

const SLOT_BYTES = 2048;
/** Packets under way in one direction; a power of two. */
const SLOTS = 16384;
const BATCH = 64;
const LATE_MILLISECONDS = 2;
const TUNSETIFF = 0x400454ca;
const TUN_WITHOUT_HEADER = 0x1001;
const READABLE = 1;
const STDIN = 0;

const libc = loadKoffi().load('libc.so.6');
const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *argument)');
const mmap = libc.func('uintptr_t mmap(uintptr_t at, size_t bytes, int access, int flags, int fd, int64_t offset)');
const read = libc.func('long read(int fd, uintptr_t into, size_t bytes)');
const write = libc.func('long write(int fd, uintptr_t from, size_t bytes)');
const schedule = libc.func('int sched_setscheduler(int pid, int policy, void *priority)');
const ppoll = libc.func('int ppoll(void *fds, unsigned long count, void *wait, void *mask)');

function openTun(name: string): number {
  const fd = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
  const request = Buffer.alloc(40);
  request.write(name, 'latin1');
  request.writeUInt16LE(TUN_WITHOUT_HEADER, 16);
  if (ioctl(fd, TUNSETIFF, request) !== 0) throw new Error(`the TUN device ${name} cannot be made`);
  return fd;
}

/** Packets from one device to the other, in the order in which they came. */
class Lane {
  readonly direction: Direction;
  readonly #from: number;
  readonly #to: number;
  readonly #memory: number;
  readonly #lengths = new Uint16Array(SLOTS);
  readonly #due = new Float64Array(SLOTS);
  #head = 0;
  #tail = 0;
  late = 0;

  constructor(from: number, to: number, options: DirectionOptions) {
    this.#from = from;
    this.#to = to;
    this.direction = new Direction(options);
    // Private, anonymous, readable and writable.
    this.#memory = Number(mmap(0, SLOTS * SLOT_BYTES, 3, 0x22, -1, 0));
  }

  get nextDue(): number {
    return this.#head === this.#tail ? Number.POSITIVE_INFINITY : this.#due[this.#head & (SLOTS - 1)]!;
  }

  /** Takes packets in; false when none is left. */
  fill(now: number): boolean {
    for (let taken = 0; taken < BATCH; taken++) {
      const slot = this.#tail & (SLOTS - 1);
      const bytes = read(this.#from, this.#memory + slot * SLOT_BYTES, SLOT_BYTES) as number;
      if (bytes <= 0) return false;
      const arrival = this.direction.arrival(bytes, now);
      if (arrival === null) continue;
      if (this.#tail - this.#head === SLOTS - 1) {
        this.direction.counts.overflowed++;
        continue;
      }
      this.#lengths[slot] = bytes;
      this.#due[slot] = arrival;
      this.#tail++;
    }
    return true;
  }

  empty(now: number): void {
    while (this.nextDue <= now) {
      const slot = this.#head & (SLOTS - 1);
      if (now - this.#due[slot]! > LATE_MILLISECONDS) this.late++;
      write(this.#to, this.#memory + slot * SLOT_BYTES, this.#lengths[slot]!);
      this.#head++;
    }
  }
}

const options = JSON.parse(process.argv[2] ?? '') as ForwarderOptions;
// A line does not wait for a processor: first in, first out before all ordinary processes, or at least ahead of most.
if (schedule(0, 1, Buffer.from([1, 0, 0, 0])) !== 0) setPriority(-15);
const near = openTun(options.near);
const far = openTun(options.far);
const there = new Lane(near, far, options.there);
const back = new Lane(far, near, options.back);
writeSync(1, 'ready\n');

const watched = Buffer.alloc(24);
for (const [at, fd] of [near, far, STDIN].entries()) {
  watched.writeInt32LE(fd, at * 8);
  watched.writeInt16LE(READABLE, at * 8 + 4);
}
const wait = Buffer.alloc(16);
for (let ended = false; !ended; ) {
  const left = Math.min(there.nextDue, back.nextDue) - performance.now();
  const nanoseconds = Math.min(1e9, Math.max(0, Math.floor(left * 1e6)));
  wait.writeBigInt64LE(BigInt(Math.floor(nanoseconds / 1e9)), 0);
  wait.writeBigInt64LE(BigInt(nanoseconds % 1e9), 8);
  ppoll(watched, 3, wait, null);
  ended = watched.readInt16LE(22) !== 0;
  for (let more = true; more; ) {
    const now = performance.now();
    const fromNear = there.fill(now);
    const fromFar = back.fill(now);
    more = fromNear || fromFar;
    there.empty(performance.now());
    back.empty(performance.now());
  }
}
const { user, system } = process.cpuUsage();
const report: ForwarderReport = {
  there: there.direction.counts,
  back: back.direction.counts,
  cpuSeconds: (user + system) / 1e6,
  late: (there.late + back.late) / Math.max(1, there.direction.counts.packets + back.direction.counts.packets),
};
writeSync(1, `${JSON.stringify(report)}\n`);
process.exit(0);
