import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';

/** Between two looks at a full disk. */
const LOOK_MILLISECONDS = 1000;

/** A fault of a full disk, as opposed to a limit that is reached: other transfers do not mend it, people do. */
export function isFullDisk(error: unknown): error is Fault {
  return error instanceof Fault && error.code === 'storage.full' && error.details?.reason !== 'limit';
}

/**
 * Does `work`, again and again while the disk under it is full, for as long as that takes; `tell` hears the fault, and
 * null once it is over. Rejects with any other fault, and with the signal's reason.
 */
export async function whileFull<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  tell: (fault: Fault | null) => void,
): Promise<T> {
  let told = false;
  try {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isFullDisk(error)) throw error;
        told = true;
        tell(error);
        await delay(LOOK_MILLISECONDS, signal);
      }
    }
  } finally {
    if (told) tell(null);
  }
}
