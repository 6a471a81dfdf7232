import { openPlain } from '../files.ts';

/** Where the header of a tar member has the name of a group: 32 bytes, of which readers of OVAs make nothing. */
const GROUP_OFFSET = 297;
const GROUP_BYTES = 32;
const PREFIX = 'cs-';

/** The group of the first member of an OVA that a job writes. */
export function groupOf(marker: string): string {
  return `${PREFIX}${marker}`.slice(0, GROUP_BYTES - 1);
}

/** The marker of the job that wrote an OVA; undefined for those of others. */
export async function readMarker(path: string): Promise<string | undefined> {
  try {
    await using file = await openPlain(path);
    const bytes = Buffer.alloc(GROUP_BYTES);
    await file.read(bytes, 0, GROUP_BYTES, GROUP_OFFSET);
    const text = bytes.toString('latin1').replace(/\0.*$/s, '');
    return text.startsWith(PREFIX) ? text.slice(PREFIX.length) : undefined;
  } catch {
    return undefined;
  }
}
