import { delay } from '../../base/backoff.ts';
import type { Cloud, ImportResult } from '../../drivers/driver.ts';
import { type BlockMap, blockCount } from '../../model/block-map.ts';
import { compareDescriptions } from '../../model/comparison.ts';
import { Fault } from '../../model/fault.ts';
import type { TransferProgress } from '../../model/job.ts';
import { type PackageDescription, type PackagePart, partsOf } from '../../model/machine.ts';
import type { SeenObject } from '../../model/seen-object.ts';
import { PackageDescriptionSchema } from '../../protocol/nouns.ts';
import type { DiskProof, WorkResult } from '../../protocol/work.ts';
import type { Pull } from '../../transfer/receiver/pull.ts';
import type { Arrival } from './arrivals.ts';
import { contextOf, type Desk, type OrderOf } from './desk.ts';
import { rememberVersions } from './lineage.ts';
import { persist } from './patience.ts';
import { endReservation, reserveStorage, untilUnlocked } from './reservation.ts';
import { every } from './ticker.ts';
import { stopOnLongTrouble } from './trouble.ts';
import type { Work } from './work.ts';

/** How long the end of an import waits for the source's last word before it goes on without. */
const LAST_WORD_MILLISECONDS = 3000;

/**
 * Pulls a package from the source's node and builds it in a cloud, at the same time.
 * @param makeRoom Asked when the transfer storage is full; says whether it freed anything.
 */
export async function runImport(
  desk: Desk,
  work: Work,
  signal: AbortSignal,
  makeRoom: () => Promise<boolean>,
): Promise<WorkResult> {
  const given = new Map<string, number>();
  const stop = new AbortController();
  using trouble = stopOnLongTrouble(work, desk.patience, stop);
  let arrival: Arrival | undefined;
  const lose = async () => {
    const lost = arrival;
    arrival = undefined;
    await lost?.close();
  };
  try {
    return await persist(work, desk.sessions, desk.patience, signal, once);
  } finally {
    await lose();
    endReservation(desk, work);
  }

  async function once(): Promise<WorkResult> {
    using borrowed = desk.sessions.borrow(work.row.server, work.row.order.cloud);
    await untilUnlocked(desk, work, signal);
    arrival ??= desk.arrivals.open(desk, work, trouble.tell, makeRoom);
    const { pull, lost } = arrival;
    const until = AbortSignal.any([signal, stop.signal, lost]);
    try {
      const result = await build(desk, work, borrowed.cloud, pull, given, until);
      if (!(await soon(pull.confirmed, signal))) {
        desk.arrivals.linger(work, arrival);
        arrival = undefined;
      }
      return result;
    } catch (error) {
      const reason = until.aborted ? until.reason : error;
      if (lost.aborted) await lose();
      throw reason;
    }
  }
}

async function build(
  desk: Desk,
  work: Work,
  cloud: Cloud,
  pull: Pull,
  given: Map<string, number>,
  signal: AbortSignal,
): Promise<WorkResult> {
  const order = work.row.order as OrderOf<'import'>;
  work.say('waiting for the source');
  const description = await readDescription(pull, signal);
  using _ticker = every(500, () => work.report(importProgress(description, pull, given)));
  const { imports } = cloud;
  if (imports === undefined) throw new Fault('cloud.unsupported', `cloud ${order.cloud} takes nothing in`);
  const feeds = new Map(partsOf(description).map(({ id }) => [id, pull.feed(id)]));
  reserveStorage(desk, work, description);
  work.say(`building "${order.order.name}"`);
  const built = await imports.run({ description, ...order.order }, feeds, contextOf(desk, work, signal), (progress) => {
    given.set(progress.disk, progress.givenBytes);
  });
  const seen = await lookAt(cloud, built.object.id, work, signal);
  work.say('comparing what left and what arrived');
  pull.conclude();
  for (const part of partsOf(description)) await walkAgain(pull, part, signal);
  pull.conclude();
  const maps = await orAbort(pull.finished, signal);
  const disks = prove(description, maps, pull, built);
  await rememberVersions(desk, work, description, maps);
  for (const { id, lengthBytes } of partsOf(description)) given.set(id, lengthBytes);
  work.report(importProgress(description, pull, given));
  const { name, keepMac, keepUuid, properties } = order.order;
  const expected = {
    name,
    keepMac,
    keepUuid,
    properties,
    networks: networksAfter(built, order.networkNames, description),
  };
  return {
    description: seen?.description ?? built.description,
    ...(seen === null ? {} : { version: seen.version }),
    disks,
    object: built.object,
    differences: compareDescriptions(description, built.description, expected),
    leftovers: [],
  };
}

/** How the result is now, to be compared with how it is when somebody wants it undone. Without it the copy is as good. */
async function lookAt(cloud: Cloud, object: string, work: Work, signal: AbortSignal): Promise<SeenObject | null> {
  try {
    return (await cloud.objects?.look(object, signal)) ?? null;
  } catch (error) {
    signal.throwIfAborted();
    work.log.warn(
      `how the copy is could not be noted, so an undo will leave it alone: ${Fault.from(error, object).message}`,
    );
    return null;
  }
}

/** Names of the networks that adapters shall have, by those that they had. */
function networksAfter(built: ImportResult, mapped: Record<string, string | null>, left: PackageDescription) {
  return built.keepsNetworks === true ? Object.fromEntries(left.networks.map(({ name }) => [name, name])) : mapped;
}

async function readDescription(pull: Pull, signal: AbortSignal): Promise<PackageDescription> {
  const parsed = PackageDescriptionSchema.safeParse(await orAbort(pull.description(), signal));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Fault(
    'input.invalid',
    `the source describes its package wrongly: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

/**
 * A driver that found its object finished after a crash has read no block in this process: what was handed to it is
 * then proven out of the transfer storage.
 */
async function walkAgain(pull: Pull, { id, lengthBytes }: PackagePart, signal: AbortSignal): Promise<void> {
  if (pull.handed(id).complete) return;
  for await (const _block of pull.feed(id).blocks(blockCount(lengthBytes), signal)) signal.throwIfAborted();
}

/** Equal roots of what the source announced and of what the cloud was handed, or `transfer.mismatch`. */
function prove(
  description: PackageDescription,
  maps: Map<string, BlockMap>,
  pull: Pull,
  built: ImportResult,
): DiskProof[] {
  return partsOf(description).map(({ id, label, lengthBytes: capacityBytes }) => {
    const root = maps.get(id)?.root();
    const handed = pull.handed(id);
    if (root === undefined || !handed.complete || handed.root() !== root) {
      const found = handed.complete ? `root ${handed.root()}` : 'only a part of its blocks';
      throw new Fault(
        'transfer.mismatch',
        `${label} (${id}): the cloud was handed ${found}, the source has root ${root}`,
        {
          retry: 'never',
          remedy: 'Retry the job from its beginning; nothing of this copy is kept.',
        },
      );
    }
    const checksum = built.checksums[id];
    const proof = { disk: id, label, capacityBytes, root };
    return checksum === undefined ? { ...proof, level: 'sent' } : { ...proof, level: 'checksum', checksum };
  });
}

function importProgress(description: PackageDescription, pull: Pull, given: Map<string, number>): TransferProgress {
  const { arrivedBytes, zeroBytes, alreadyThereBytes, wireBytes, resentBytes } = pull.progress();
  const disks = partsOf(description).map(({ id, label, lengthBytes: capacityBytes }) => ({
    disk: id,
    label,
    capacityBytes,
    arrivedBytes: arrivedBytes[id] ?? 0,
    givenBytes: given.get(id) ?? 0,
  }));
  const total = (bytes: (disk: (typeof disks)[number]) => number) => disks.reduce((sum, disk) => sum + bytes(disk), 0);
  return {
    disks,
    totalBytes: total((disk) => disk.capacityBytes),
    doneBytes: Math.floor(total((disk) => disk.arrivedBytes + disk.givenBytes) / 2),
    zeroBytes,
    alreadyThereBytes,
    wireBytes,
    resentBytes,
  };
}

/** Whether it resolved within a few seconds. */
async function soon(promise: Promise<void>, signal: AbortSignal): Promise<boolean> {
  const waiting = new AbortController();
  const until = AbortSignal.any([signal, waiting.signal]);
  try {
    return await Promise.race([
      promise.then(() => true),
      delay(LAST_WORD_MILLISECONDS, until).then(
        () => false,
        () => false,
      ),
    ]);
  } catch {
    return false;
  } finally {
    waiting.abort();
  }
}

function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
