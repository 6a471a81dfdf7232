import type { Cloud, LedgerBook, Sources } from '../../drivers/driver.ts';
import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import { OFF, roleOfSetting, SETTINGS, type SettingName, settingOf } from '../../model/setting.ts';
import type { WorkResult } from '../../protocol/work.ts';
import { contextOf, type Desk, type OrderOf } from './desk.ts';
import { NOTHING } from './nothing.ts';
import { persist } from './patience.ts';
import type { Work } from './work.ts';

/** Longest time that one change may take. */
const CHANGE_MILLISECONDS = 5 * 60_000;

/**
 * Sets the source of a move aside. Each setting is in the ledger with its old value before it is changed; what a row says
 * stays the old value however often this runs. The result tells the version of the source as it was left.
 */
export async function runSetAside(desk: Desk, work: Work, signal: AbortSignal): Promise<WorkResult> {
  const order = work.row.order as OrderOf<'set-aside'>;
  const { ledger } = contextOf(desk, work, signal);
  return persist(work, desk.sessions, desk.patience, signal, async () => {
    using borrowed = desk.sessions.borrow(work.row.server, order.cloud);
    const { objects } = borrowed.cloud;
    const sources = sourcesOf(borrowed.cloud);
    const before = await objects?.look(order.object, signal);
    if (before == null) throw new Fault('object.missing', `the source ${order.object} is not there any more`);
    if (before.power !== 'off') {
      throw new Fault(
        'machine.running',
        `the source "${before.name}" is not off (${before.power}): it stays as it is`,
        {
          remedy: 'Shut it down, then retry: what is the same does not travel again.',
        },
      );
    }
    // What this work has changed itself reads otherwise.
    if (before.version !== order.version && !ledger.entries.some(isOpen)) {
      throw new Fault(
        'object.changed',
        `the source "${before.name}" is not what was copied any more: it stays as it is`,
        { remedy: 'Retry: the source is read again, and what is the same does not travel again.', retry: 'later' },
      );
    }
    const now = await sources.settings(order.object, signal);
    for (const setting of SETTINGS) {
      const value = now[setting];
      if (value === undefined) continue;
      work.say(`setting the source aside: ${setting}`);
      await change(ledger, sources, { ...order, kind: before.kind, was: before.name }, setting, value, signal);
    }
    const after = await objects?.look(order.object, signal);
    return {
      description: NOTHING,
      ...(after == null ? {} : { version: after.version }),
      disks: [],
      differences: [],
      leftovers: [],
    };
  });
}

async function change(
  ledger: LedgerBook,
  sources: Sources,
  { object, name, kind, was }: { object: string; name: string; kind: LedgerEntry['kind']; was: string },
  setting: SettingName,
  value: string,
  signal: AbortSignal,
): Promise<void> {
  const role = roleOfSetting(setting);
  const after = setting === 'name' ? name : OFF;
  const known = ledger.entries.find((entry) => entry.role === role && isOpen(entry));
  if (known === undefined && value === after) return;
  const row =
    known ??
    (await ledger.settle(
      await ledger.intend({ action: 'change', kind, role, name: was, before: value, after }),
      'intent',
      object,
    ));
  // A change that was begun is waited for, also by a cancelled job: it could come after the undo has looked.
  if (value !== after) await sources.set(object, setting, after, AbortSignal.timeout(CHANGE_MILLISECONDS));
  await ledger.settle(row, 'made', object);
  signal.throwIfAborted();
}

function isOpen({ state }: LedgerEntry): boolean {
  return state === 'intent' || state === 'made';
}

export type Restoration = { outcome: 'restore' | 'left' | 'gone'; reason: string };

/** What an undo would do to a changed setting: nothing where somebody has changed it since. Reads only. */
export async function judgeSetting(
  cloud: Pick<Cloud, 'sources'>,
  entry: LedgerEntry,
  signal: AbortSignal,
): Promise<Restoration> {
  const setting = settingOf(entry.role);
  const { objectId, before, after } = entry;
  if (setting === undefined || objectId === undefined || before === undefined) {
    return { outcome: 'left', reason: `it is not known how to set it back: it was ${before}` };
  }
  if (!isOpen(entry)) return { outcome: 'gone', reason: 'it was set back before' };
  try {
    const now = (await sourcesOf(cloud).settings(objectId, signal))[setting];
    if (now === before) return { outcome: 'gone', reason: 'it is as it was before the job' };
    // A change that broke in its middle left one machine of several as it was, and another one not.
    if (entry.state === 'made' && now !== after)
      return { outcome: 'left', reason: `it was changed since; before the job it was ${before}` };
    if (now !== after) return { outcome: 'restore', reason: `it was being changed; before the job it was ${before}` };
    return { outcome: 'restore', reason: setting === 'name' ? `its name was "${before}"` : 'it is as the job set it' };
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'object.missing') throw error;
    return { outcome: 'gone', reason: 'the source is not there any more' };
  }
}

/** Gives a setting its old value, as `judgeSetting` says. */
export async function restoreSetting(
  cloud: Pick<Cloud, 'sources'>,
  ledger: LedgerBook,
  entry: LedgerEntry,
  signal: AbortSignal,
): Promise<Restoration> {
  const judged = await judgeSetting(cloud, entry, signal);
  const setting = settingOf(entry.role);
  if (judged.outcome === 'restore' && setting !== undefined) {
    await sourcesOf(cloud).set(entry.objectId ?? '', setting, entry.before ?? '', signal);
  }
  if (judged.outcome !== 'left' && isOpen(entry)) await ledger.settle(entry, 'removed');
  return judged;
}

function sourcesOf({ sources }: Pick<Cloud, 'sources'>): Sources {
  if (sources !== undefined) return sources;
  throw new Fault('cloud.unsupported', 'the settings of a source cannot be changed in this kind of cloud', {
    remedy: 'Copy instead of moving, and put the source away by hand.',
  });
}
