import { expectedBytes, type PackageDescription } from '../../model/machine.ts';
import { blockOwner, type Desk, type OrderOf, transferOf } from './desk.ts';
import type { Work } from './work.ts';

/** Keeps space free for the bytes that will come at the most, as far as they are known; others are let into the rest. */
export function reserveStorage(desk: Desk, work: Work, description: PackageDescription): void {
  const transfer = transferOf(work.row.order as OrderOf<'import'>);
  desk.store.reserve(blockOwner(work.row), transfer, expectedBytes(description));
}

/** Where blocks are encrypted: waits, for as long as it takes, until the server has given the key. */
export async function untilUnlocked(desk: Desk, work: Work, signal: AbortSignal): Promise<void> {
  let waited = false;
  await desk.keyring.until(blockOwner(work.row), signal, (fault) => {
    waited = true;
    work.trouble('attempt', fault);
  });
  if (!waited) return;
  work.trouble('attempt', null);
  work.movedAt = performance.now();
}

export function endReservation(desk: Desk, work: Work): void {
  desk.store.reserve(blockOwner(work.row), transferOf(work.row.order as OrderOf<'import'>), 0);
}
