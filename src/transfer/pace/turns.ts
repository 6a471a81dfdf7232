import { Bell } from '../bell.ts';
import type { Flow } from './gate.ts';

/** One transfer among those that come from the same node. */
interface Member {
  readonly flow: Flow;
  /** Bytes asked for, by weight. */
  served: number;
  /** Blocks that are on their way. */
  outstanding: number;
  cameAt: number;
  full: () => boolean;
  fullAt: number;
}

const MIB = 1024 * 1024;
/** How far one may be ahead of another. */
const SLACK_BYTES = 4 * MIB;
/** What one that had nothing to ask for may catch up. */
const CREDIT_BYTES = 16 * MIB;
/** One whose way was full so lately waits for the way, not for its source's cloud. */
const FULL_MILLISECONDS = 500;
/** That many blocks on their way say the same, where the source keeps too few for more. */
const BUSY_BLOCKS = 6;
/** One that stands still holds nobody up for longer. */
const STILL_MILLISECONDS = 5_000;
const LOOK_MILLISECONDS = 100;

/**
 * Shares what two nodes have between them by weight, also where no limit does it: a transfer does not ask for more while
 * it is ahead of another one that asks for all it can.
 */
export class Turns {
  readonly #members = new Set<Member>();
  readonly #bell = new Bell();
  readonly #never = new AbortController().signal;

  join(flow: Flow): Turn {
    const member: Member = {
      flow,
      served: 0,
      outstanding: 0,
      cameAt: 0,
      full: () => false,
      fullAt: Number.NEGATIVE_INFINITY,
    };
    this.#members.add(member);
    return {
      watch: (full) => {
        member.full = full;
      },
      ask: async (bytes, signal) => {
        while (!signal.aborted && this.#isAhead(member)) await this.#change();
        const farthest = Math.max(...[...this.#members].filter((one) => one.outstanding > 0).map((one) => one.served));
        member.served = Math.max(member.served, farthest - CREDIT_BYTES) + bytes / flow.weight();
        member.outstanding++;
      },
      came: (fewer) => {
        member.outstanding--;
        member.served -= fewer / flow.weight();
        member.cameAt = performance.now();
        this.#bell.ring();
      },
      leave: () => {
        this.#members.delete(member);
        this.#bell.ring();
      },
    };
  }

  #isAhead(member: Member): boolean {
    const now = performance.now();
    let ahead = false;
    for (const other of this.#members) {
      if (other === member) continue;
      if (other.full()) other.fullAt = now;
      const full = other.outstanding > 0 && other.fullAt > now - FULL_MILLISECONDS;
      const waits = full || other.outstanding >= BUSY_BLOCKS;
      if (!waits || other.cameAt < now - STILL_MILLISECONDS) continue;
      // What is on its way already comes in any case: of that, too, each has its part only.
      const part = member.flow.weight() / other.flow.weight();
      ahead ||= member.served > other.served + SLACK_BYTES || member.outstanding > (other.outstanding + 1) * part + 1;
    }
    return ahead;
  }

  async #change(): Promise<void> {
    const timer = setTimeout(() => this.#bell.ring(), LOOK_MILLISECONDS);
    await this.#bell.wait(this.#never);
    clearTimeout(timer);
  }
}

export interface Turn {
  /** @param full whether the transfer has more to ask for than its way takes. */
  watch(full: () => boolean): void;
  /** Resolves when this transfer may ask for a block of about so many bytes, or when the signal is aborted. */
  ask(bytes: number, signal: AbortSignal): Promise<void>;
  /** A block came that had so many bytes fewer than was thought when it was asked for. */
  came(fewer: number): void;
  leave(): void;
}
