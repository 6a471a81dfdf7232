import { z } from 'zod';
import type { Log } from '../base/log.ts';
import { Fault } from '../model/fault.ts';
import type { LedgerEntry } from '../model/ledger.ts';
import { partsOf } from '../model/machine.ts';
import { OptionValuesSchema } from '../protocol/nouns.ts';
import { readMap } from './disk-root.ts';
import { drivers } from './drivers.ts';

const SettingsSchema = z.object({
  driver: z.string(),
  options: OptionValuesSchema,
  /** SHA-256 of the cloud's certificate. */
  fingerprint: z.string(),
  object: z.string(),
});

/**
 * Reads every disk or file of an object through the cloud's public API and hashes it, with a session of its own: the witness that
 * shares neither store nor journal with the nodes that made the copy.
 */
export async function readRoots(settings: unknown, password: string, log: Log) {
  const { driver: name, options, fingerprint, object } = SettingsSchema.parse(settings);
  const driver = drivers.find((one) => one.name === name);
  if (driver === undefined) throw new Fault('input.invalid', `there is no driver "${name}"`);
  const signal = new AbortController().signal;
  const lines = {
    info: (text: string, fields?: Record<string, unknown>) => log.info(fields ?? {}, text),
    warn: (text: string, fields?: Record<string, unknown>) => log.warn(fields ?? {}, text),
  };
  const cloud = await driver.connect(
    {
      options: { ...options, password },
      trust: { kind: 'pin', sha256: fingerprint },
      label: 'witness',
      log: lines,
      stallSeconds: 120,
    },
    signal,
  );
  try {
    if (cloud.exports === undefined) throw new Fault('cloud.unsupported', `${driver.title} has no export`);
    const opened = await cloud.exports.open(object, { signal, log: lines, marker: 'witness', ledger: memoryLedger() });
    try {
      const disks = [];
      for (const part of partsOf(opened.description)) {
        const root = (await readMap(opened, part, signal)).root();
        disks.push({ disk: part.id, label: part.label, capacityBytes: part.lengthBytes, root });
      }
      return { object, disks };
    } finally {
      await opened.close('complete');
    }
  } finally {
    await cloud.close();
  }
}

/** Nothing outlives this process, so the rows need not either. */
function memoryLedger() {
  const entries: LedgerEntry[] = [];
  return {
    entries,
    async intend(
      what: Pick<LedgerEntry, 'action' | 'kind' | 'role' | 'name'> & { before?: string },
    ): Promise<LedgerEntry> {
      const now = new Date().toISOString();
      const entry: LedgerEntry = {
        ...what,
        id: crypto.randomUUID(),
        job: 'witness',
        owner: 'witness',
        cloud: 'witness',
        marker: 'witness',
        state: 'intent',
        at: now,
      };
      entries.push(entry);
      return entry;
    },
    async settle(entry: LedgerEntry, state: LedgerEntry['state'], objectId?: string): Promise<LedgerEntry> {
      return Object.assign(entry, { state, ...(objectId === undefined ? {} : { objectId }) });
    },
  };
}
