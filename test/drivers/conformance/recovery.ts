import { expect, test } from 'vitest';
import { Fault } from '../../../src/model/fault.ts';
import type { Stage } from '../conformance.ts';
import {
  again,
  expectFault,
  exportRoots,
  faultOf,
  madePackage,
  named,
  newWork,
  runImport,
  snapshot,
  unfinished,
  type Work,
} from './work.ts';
import { lacks } from './world.ts';

const MIB = 1024 * 1024;
const MACHINE_KINDS = new Set(['vm', 'vapp', 'template']);

export function recoveryPromises({ world, cloud }: Stage): void {
  const signal = () => AbortSignal.timeout(30_000);

  test('an abort in the middle ends with its reason, and undo leaves nothing behind', async () => {
    const made = madePackage('aborted', [8 * MIB, 3 * MIB]);
    const stop = new AbortController();
    const reason = new Error('no longer wanted');
    const work = newWork(stop.signal);
    const running = runImport(world(), cloud(), made, {}, work, {
      before: (_, index) => {
        if (index >= 3) stop.abort(reason);
      },
    });
    await expect(running).rejects.toBe(reason);
    await cloud().imports!.undo(again(work));
    expect(await named(cloud(), 'aborted')).toEqual([]);
    expect(await world().openTransfers()).toBe(0);
    expect(work.ledger.rows.filter((row) => row.state === 'made' || row.state === 'intent')).toEqual([]);
    const settled = structuredClone(work.ledger.rows);
    await cloud().imports!.undo(again(work));
    expect(work.ledger.rows.map((row) => row.state)).toEqual(settled.map((row) => row.state));
  });

  test('an upload that is cut fails with a fault that a retry can help, and the next run ends well, once', async ({
    skip,
  }) => {
    if (lacks(world(), 'network-access')) skip();
    const made = madePackage('cut upload', [8 * MIB]);
    await world().cutUpload(1_500_000);
    const work = newWork();
    const result = await untilDone((attempt) => runImport(world(), cloud(), made, {}, attempt), work);
    const { roots } = await exportRoots(cloud(), result.object.id);
    expect(roots).toEqual([...made.contents.values()].map((content) => content.root()));
    expect(await named(cloud(), 'cut upload')).toHaveLength(1);
    expect(unfinished(await snapshot(cloud()))).toEqual([]);
  });

  test('the loss of the session in the middle of an import is survived', async ({ skip }) => {
    if (lacks(world(), 'accounts')) skip();
    const made = madePackage('lost session', [8 * MIB]);
    let expired = false;
    const work = newWork();
    const attempt = (context: Work) =>
      runImport(world(), cloud(), made, {}, context, {
        before: async (_, index) => {
          if (index < 4 || expired) return;
          expired = true;
          await world().expireSessions();
        },
      });
    const result = await untilDone(attempt, work);
    expect(expired).toBe(true);
    const { roots } = await exportRoots(cloud(), result.object.id);
    expect(roots).toEqual([...made.contents.values()].map((content) => content.root()));
    expect(await named(cloud(), 'lost session')).toHaveLength(1);
  });

  test('an import that was complete but for its last note is adopted, not made again', async () => {
    const made = madePackage('adopted', [2 * MIB]);
    const work = newWork();
    const first = await runImport(world(), cloud(), made, {}, work);
    const second = await runImport(world(), cloud(), made, {}, again(work));
    expect(second.object).toEqual(first.object);
    expect(await named(cloud(), 'adopted')).toHaveLength(1);
  });

  test('undo removes what carries the marker, and forgives what is gone already', async () => {
    const made = madePackage('undone', [2 * MIB]);
    const work = newWork();
    const { object } = await runImport(world(), cloud(), made, {}, work);
    await cloud().imports!.undo(again(work));
    await expectFault(cloud().inventory.get(object.id, signal()), world(), 'object.missing');
    await cloud().imports!.undo(again(work));
    expect(await named(cloud(), 'undone')).toEqual([]);
  });

  test('undo leaves alone what no longer carries the marker, and what is kept', async () => {
    const made = madePackage('somebody took it', [2 * MIB]);
    const work = newWork();
    const { object } = await runImport(world(), cloud(), made, {}, work);
    settleMachines(work, 'kept');
    await cloud().imports!.undo(again(work));
    expect((await cloud().inventory.get(object.id, signal())).id).toBe(object.id);
    await world().stripMarker(object.id);
    settleMachines(work, 'made');
    await cloud().imports!.undo(again(work));
    expect((await cloud().inventory.get(object.id, signal())).id).toBe(object.id);
    const rows = work.ledger.rows.filter((row) => row.objectId === object.id);
    expect(rows.map((row) => row.state)).toEqual(rows.map(() => 'absent'));
  });

  test('an intent without any object is settled as absent', async () => {
    const work = newWork();
    const made = madePackage('never made', [MIB]);
    const done = await runImport(world(), cloud(), made, {}, work);
    const other = newWork();
    for (const row of work.ledger.rows) {
      if (!MACHINE_KINDS.has(row.kind)) continue;
      await other.ledger.intend({ action: row.action, kind: row.kind, role: row.role, name: row.name });
    }
    await cloud().imports!.undo(again(other));
    expect(other.ledger.rows.every((row) => row.state === 'absent')).toBe(true);
    expect((await cloud().inventory.get(done.object.id, signal())).id).toBe(done.object.id);
  });

  /** Runs until it ends, as the server would: only after faults that a retry can help, at most three times. */
  async function untilDone<T>(attempt: (work: Work) => Promise<T>, work: Work): Promise<T> {
    for (let count = 1; ; count++) {
      const running = attempt(again(work));
      const error = await running.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) return await running;
      const fault = await faultOf(Promise.reject(error));
      expect(fault).toBeInstanceOf(Fault);
      if (fault.retry !== 'soon' || count >= 3) throw error;
    }
  }

  /** What the node does when the user's result is proven (`kept`), and as if it had not come to that (`made`). */
  function settleMachines(work: Work, state: 'kept' | 'made'): void {
    for (const [at, row] of work.ledger.rows.entries()) {
      const settled = row.state === 'kept' || row.state === 'made';
      if (MACHINE_KINDS.has(row.kind) && settled) work.ledger.rows[at] = { ...row, state };
    }
  }
}
