import { rootOfDisks } from '../../base/receipts.ts';
import { Fault } from '../../model/fault.ts';
import type { DiskReceipt, Receipt } from '../../model/receipt.ts';
import type { WorkResult } from '../../protocol/work.ts';

/**
 * Disk by disk what left and what arrived. Fault `transfer.mismatch` names the first disk whose roots differ or that is
 * missing at one end.
 */
export function compareDisks(sent: WorkResult, arrived: WorkResult, what: string): DiskReceipt[] {
  const rest = new Map(arrived.disks.map((proof) => [proof.disk, proof]));
  const disks = sent.disks.map((left) => {
    const proof = rest.get(left.disk);
    rest.delete(left.disk);
    if (proof?.root !== left.root) {
      throw new Fault(
        'transfer.mismatch',
        `${what}: ${left.label} left with the root ${left.root} and arrived with ${proof?.root ?? 'none'}`,
        { retry: 'later', remedy: 'Retry; if it stays so, check memory and storage of both nodes.' },
      );
    }
    return {
      disk: left.disk,
      label: left.label,
      capacityBytes: left.capacityBytes,
      sourceRoot: left.root,
      destinationRoot: proof.root,
      level: proof.level,
      ...(proof.checksum === undefined ? {} : { checksum: proof.checksum }),
    };
  });
  const [extra] = rest.values();
  if (extra !== undefined) throw new Fault('transfer.mismatch', `${what}: ${extra.label} arrived but never left`);
  return disks;
}

export function buildReceipt(
  about: Omit<Receipt, 'version' | 'sourceRoot' | 'destinationRoot' | 'signatures' | 'keys'>,
) {
  return {
    version: 1 as const,
    ...about,
    sourceRoot: rootOfDisks(about.disks.map((disk) => disk.sourceRoot)),
    destinationRoot: rootOfDisks(about.disks.map((disk) => disk.destinationRoot)),
  };
}
