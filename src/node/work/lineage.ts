import type { BlockMap } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { PackageDescription } from '../../model/machine.ts';
import { versionNames } from '../../transfer/store/versions.ts';
import { blockOwner, type Desk, type OrderOf } from './desk.ts';
import type { Work } from './work.ts';

/** The versions of these disks that came through this node before. */
export async function recallVersions(
  desk: Desk,
  work: Work,
  description: PackageDescription,
): Promise<Map<string, BlockMap>> {
  const { lineage = null } = work.row.order as OrderOf<'import'>;
  const found = new Map<string, BlockMap>();
  for (const [disk, name] of versionNames(description, lineage)) {
    const map = await desk.versions.recall(blockOwner(work.row), name);
    if (map !== null) found.set(disk, map);
  }
  return found;
}

/** Lets a later transfer of another version of the same disks ask for what has changed. Fails nothing. */
export async function rememberVersions(
  desk: Desk,
  work: Work,
  description: PackageDescription,
  maps: ReadonlyMap<string, BlockMap>,
): Promise<void> {
  const { lineage = null } = work.row.order as OrderOf<'import'>;
  try {
    for (const [disk, name] of versionNames(description, lineage)) {
      const map = maps.get(disk);
      if (map !== undefined) await desk.versions.remember(blockOwner(work.row), name, map);
    }
  } catch (error) {
    work.log.warn(`what arrived is not remembered for later versions: ${Fault.from(error, 'versions').message}`);
  }
}
