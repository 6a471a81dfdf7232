import { BLOCK_BYTES } from '../../model/block-map.ts';
import type { Flow, Gate } from './gate.ts';
import type { Turn } from './turns.ts';

/** Where blocks leave a node. */
export interface Outlet {
  /** Resolves when the bytes may be sent, or when the signal is aborted. */
  pass(bytes: number, signal: AbortSignal): Promise<void>;
}

/** Where blocks arrive at a node. */
export interface Inlet {
  /** @param full whether there is more to ask for than connections and memory take. */
  watch(full: () => boolean): void;
  /** Resolves when one more block may be asked for, or when the signal is aborted. Each is followed by one `came`. */
  ask(signal: AbortSignal): Promise<void>;
  /** A block that was asked for came with so many bytes on the wire; 0 when it did not come, or was not asked for. */
  came(bytes: number): void;
}

export const openOutlet: Outlet = { pass: () => Promise.resolve() };
export const openInlet: Inlet = { watch: () => {}, ask: () => Promise.resolve(), came: () => {} };

/** Sends through all gates in their order. */
export function pacedOutlet(flow: Flow, gates: readonly Gate[]): Outlet {
  return {
    async pass(bytes, signal) {
      for (const gate of gates) await gate.pass(flow, bytes, signal);
    },
  };
}

/** What a block will weigh is guessed from those that came before, and made right when it is there. */
const NEWEST = 1 / 16;

/** Asks when it is its turn and all gates have let the bytes through. */
export function pacedInlet(flow: Flow, gates: readonly Gate[], turn: Turn): Inlet {
  const guesses: number[] = [];
  let usual = BLOCK_BYTES;
  return {
    watch: turn.watch,
    async ask(signal) {
      const guess = usual;
      guesses.push(guess);
      await turn.ask(guess, signal);
      for (const gate of gates) await gate.pass(flow, guess, signal);
    },
    came(bytes) {
      const guess = guesses.shift() ?? usual;
      if (bytes > 0) usual += (bytes - usual) * NEWEST;
      for (const gate of gates) gate.giveBack(guess - bytes);
      turn.came(guess - bytes);
    },
  };
}
