import { z } from 'zod';
import { delay } from '../base/backoff.ts';
import { Fault } from '../model/fault.ts';
import type { Database } from './store/database.ts';
import { deleteSetting, readSetting } from './store/settings.ts';

/** The setting under which a restored server is on hold. */
export const HOLD = 'hold';
const LOOK_MILLISECONDS = 2_000;

const HoldNoteSchema = z.object({
  /** When it was restored. */
  since: z.string(),
  /** When the backup was made. */
  backup: z.string(),
});
export type HoldNote = z.infer<typeof HoldNoteSchema>;

/**
 * A server that was restored does nothing by itself until an administrator says that the one that was backed up is gone:
 * both would command the same nodes.
 */
export interface Hold {
  /** Null: it works. */
  readonly note: HoldNote | null;
  /** Fault `server.on-hold` while it is. */
  refuse(what: string): void;
  release(): Promise<void>;
  /** Resolves when it is released, here or by another server on the same database; at once when it is not on hold. */
  released(signal: AbortSignal): Promise<void>;
}

export async function openHold(database: Database): Promise<Hold> {
  const read = async () => {
    const stored = await readSetting(database, HOLD);
    return stored === null ? null : HoldNoteSchema.parse(stored);
  };
  let note = await read();
  return {
    get note() {
      return note;
    },
    refuse(what) {
      if (note === null) return;
      throw new Fault(
        'server.on-hold',
        `${what}: this server was restored from the backup of ${note.backup} and is on hold`,
      );
    },
    async release() {
      await deleteSetting(database, HOLD);
      note = null;
    },
    async released(signal) {
      while (note !== null) {
        await delay(LOOK_MILLISECONDS, signal);
        note = note === null ? null : await read().catch(() => note);
      }
    },
  };
}
