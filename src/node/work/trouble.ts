import { Fault } from '../../model/fault.ts';
import type { Patience } from './patience.ts';
import { every } from './ticker.ts';
import type { Work } from './work.ts';

/**
 * Lets the peers' troubles be seen in the work, and aborts `stop` when they have lasted for the whole patience without
 * any byte that moved.
 */
export function stopOnLongTrouble(
  work: Work,
  patience: Patience,
  stop: AbortController,
): Disposable & { tell: (fault: Fault | null) => void } {
  let since: number | null = null;
  let current: Fault | null = null;
  const watch = every(1000, () => {
    if (current === null || since === null) return;
    const still = Math.min(performance.now() - since, performance.now() - work.movedAt);
    if (still < patience.standstillSeconds * 1000) return;
    const { code, message, remedy } = current;
    stop.abort(new Fault(code, `${message} (for ${patience.standstillSeconds} s)`, { remedy, retry: 'later' }));
  });
  return {
    tell(fault) {
      current = fault;
      since = fault === null ? null : (since ?? performance.now());
      work.trouble('peer', fault);
    },
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}
