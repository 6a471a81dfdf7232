import { expect, test } from 'vitest';
import { Fault } from '../../../src/model/fault.ts';
import type { Stage } from '../conformance.ts';
import {
  again,
  expectFault,
  exportRoots,
  feedsOf,
  madeMedia,
  newWork,
  requestFor,
  runImport,
  type Work,
} from './work.ts';
import { lacks } from './world.ts';

const MIB = 1024 * 1024;
/** Odd on purpose: the last block of a file ends with it. */
const ODD = 3 * MIB + 17;

export function mediaPromises({ world, cloud }: Stage): void {
  const signal = () => AbortSignal.timeout(30_000);

  test('an image of a disc leaves with exactly the bytes that it has', async () => {
    const { media } = world();
    const object = await cloud().inventory.get(media.id, signal());
    expect(object).toMatchObject({ id: media.id, kind: 'media', name: media.name });
    expect(object.abilities).toContain('export');
    for (const check of await cloud().exports!.check(media.id, signal())) expect(check.outcome).not.toBe('fail');
    const described = await cloud().exports!.describe(media.id, signal());
    const one = await exportRoots(cloud(), media.id);
    const two = await exportRoots(cloud(), media.id);
    expect(one.description).toEqual(described);
    expect(described).toMatchObject({ kind: 'media', name: media.name, machines: [] });
    expect(one.disks.map(({ kind, capacityBytes }) => [kind, capacityBytes])).toEqual([
      ['file', media.disks[0]!.capacityBytes],
    ]);
    expect(one.roots).toEqual([media.disks[0]!.root]);
    expect([two.version, two.roots]).toEqual([one.version, one.roots]);
    expect(one.version).not.toBe('');
    expect(await world().openTransfers()).toBe(0);
  });

  test('an image arrives, and leaves again with the same root, whatever its length is', async () => {
    for (const bytes of [ODD, 4 * MIB, 17]) {
      const made = madeMedia(`rescue ${bytes}.iso`, bytes);
      const request = requestFor(world(), made);
      const checks = await cloud().imports!.check(request, signal());
      expect(checks.filter(({ outcome }) => outcome === 'fail')).toEqual([]);
      const work = newWork();
      const told: number[] = [];
      const result = await cloud().imports!.run(request, feedsOf(made), work, (p) => told.push(p.givenBytes));
      expect(result.object).toMatchObject({ kind: 'media', name: made.description.name });
      expect(result.description.files?.map((file) => file.bytes)).toEqual([bytes]);
      expect(told.at(-1)).toBe(bytes);
      expect(told).toEqual(told.toSorted((a, b) => a - b));
      expect(work.ledger.rows.filter(({ state }) => state === 'made')).toHaveLength(1);
      expect(work.ledger.rows.filter(({ state }) => state === 'intent')).toEqual([]);
      const { description, roots } = await exportRoots(cloud(), result.object.id);
      expect(description).toEqual(result.description);
      expect(roots).toEqual([...made.contents.values()].map((content) => content.root()));
      expect((await cloud().inventory.get(result.object.id, signal())).name).toBe(made.description.name);
    }
    expect(await leftovers()).toEqual([]);
    expect(await world().openTransfers()).toBe(0);
  });

  test('the name of an image that is taken is refused, or changed when asked', async () => {
    const made = madeMedia('taken.iso', MIB);
    await runImport(world(), cloud(), made);
    const work = newWork();
    await expectFault(runImport(world(), cloud(), made, {}, work), world(), 'object.exists');
    expect(work.ledger.rows.filter(({ state }) => state === 'made' || state === 'intent')).toEqual([]);
    const checks = await cloud().imports!.check(requestFor(world(), made), signal());
    expect(checks.find(({ name }) => name === 'name-free')?.outcome).toBe('fail');
    expect((await runImport(world(), cloud(), made, { onNameClash: 'rename' })).object.name).toBe('taken (2).iso');
  });

  test('an upload of an image that is cut goes on or begins again, and ends well, once', async ({ skip }) => {
    if (lacks(world(), 'network-access')) skip();
    const made = madeMedia('cut.iso', 8 * MIB + 5);
    await world().cutMediaUpload(1_500_000);
    const result = await untilDone((work) => runImport(world(), cloud(), made, {}, work));
    const { roots } = await exportRoots(cloud(), result.object.id);
    expect(roots).toEqual([...made.contents.values()].map((content) => content.root()));
    expect((await world().mediaNames()).filter((name) => name.startsWith('cut'))).toEqual(['cut.iso']);
    expect(await world().openTransfers()).toBe(0);
  });

  test('the loss of the session in the middle of an image is survived', async ({ skip }) => {
    if (lacks(world(), 'accounts')) skip();
    const made = madeMedia('lost session.iso', 8 * MIB + 1);
    let expired = false;
    const before = async (_: string, index: number) => {
      if (index < 4 || expired) return;
      expired = true;
      await world().expireSessions();
    };
    const result = await untilDone((work) => runImport(world(), cloud(), made, {}, work, { before }));
    expect(expired).toBe(true);
    const { roots } = await exportRoots(cloud(), result.object.id);
    expect(roots).toEqual([...made.contents.values()].map((content) => content.root()));
  });

  test('an abort in the middle of an image leaves nothing behind after undo', async () => {
    const made = madeMedia('aborted.iso', 8 * MIB);
    const stop = new AbortController();
    const work = newWork(stop.signal);
    const reason = new Error('no longer wanted');
    const running = runImport(world(), cloud(), made, {}, work, {
      before: (_, index) => {
        if (index >= 3) stop.abort(reason);
      },
    });
    await expect(running).rejects.toBe(reason);
    await cloud().imports!.undo(again(work));
    await cloud().imports!.undo(again(work));
    expect((await world().mediaNames()).filter((name) => name.startsWith('aborted'))).toEqual([]);
    expect(work.ledger.rows.filter(({ state }) => state === 'made' || state === 'intent')).toEqual([]);
    expect(await world().openTransfers()).toBe(0);
  });

  test('an image that was complete but for its last note is adopted, not made again', async () => {
    const made = madeMedia('adopted.iso', 2 * MIB + 1);
    const work = newWork();
    const first = await runImport(world(), cloud(), made, {}, work);
    expect((await runImport(world(), cloud(), made, {}, again(work))).object).toEqual(first.object);
    // As it is when the process dies between the last call and the note of it.
    for (const [at, row] of work.ledger.rows.entries()) {
      if (row.state === 'made') work.ledger.rows[at] = { ...row, state: 'intent' };
    }
    expect((await runImport(world(), cloud(), made, {}, again(work))).object).toEqual(first.object);
    expect((await world().mediaNames()).filter((name) => name.startsWith('adopted'))).toEqual(['adopted.iso']);
  });

  test('undo removes an image that is ours, and leaves alone one that no longer is, or is kept', async () => {
    const work = newWork();
    const made = madeMedia('undone.iso', MIB + 3);
    const { object } = await runImport(world(), cloud(), made, {}, work);
    settle(work, 'kept');
    await cloud().imports!.undo(again(work));
    expect((await cloud().inventory.get(object.id, signal())).id).toBe(object.id);
    settle(work, 'made');
    await cloud().imports!.undo(again(work));
    await expectFault(cloud().inventory.get(object.id, signal()), world(), 'object.missing');
    await cloud().imports!.undo(again(work));

    const other = newWork();
    const taken = await runImport(world(), cloud(), madeMedia('somebody took it.iso', MIB), {}, other);
    await world().takeMedia(taken.object.id);
    await cloud().imports!.undo(again(other));
    expect((await cloud().inventory.get(taken.object.id, signal())).id).toBe(taken.object.id);
    expect(other.ledger.rows.map(({ state }) => state)).not.toContain('made');
  });

  test('what is no image of a disc is not taken for one', async () => {
    const made = madeMedia('two files.iso', MIB);
    made.description.files!.push({ id: 'more', path: 'more.iso', bytes: 3 });
    await expectFault(runImport(world(), cloud(), made), world(), 'input.invalid');
  });

  async function leftovers(): Promise<string[]> {
    return (await world().mediaNames()).filter((name) => name.includes('[cloudspan '));
  }

  /** Only after faults that a retry can help, at most three times. */
  async function untilDone<T>(attempt: (work: Work) => Promise<T>): Promise<T> {
    const work = newWork();
    for (let count = 1; ; count++) {
      try {
        return await attempt(again(work));
      } catch (error) {
        if (!(error instanceof Fault) || error.retry !== 'soon' || count >= 3) throw error;
      }
    }
  }

  function settle(work: Work, state: 'kept' | 'made'): void {
    for (const [at, row] of work.ledger.rows.entries()) {
      if (row.kind === 'media' && (row.state === 'kept' || row.state === 'made')) {
        work.ledger.rows[at] = { ...row, state };
      }
    }
  }
}
