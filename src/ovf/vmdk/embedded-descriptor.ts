import { crc32 } from 'node:zlib';
import { Fault } from '../../model/fault.ts';

export type VmdkAdapter = 'ide' | 'buslogic' | 'lsilogic';

/** What the text inside a VMDK says about the disk; everything in it is optional for a reader. */
export interface EmbeddedDescriptor {
  createType: string | undefined;
  adapterType: string | undefined;
  contentId: string | undefined;
  /** Other than `ffffffff` for a disk that holds only the changes to another one. */
  parentContentId: string | undefined;
}

/**
 * Parses the text of an embedded descriptor (Virtual Disk Format 5.0, "The Descriptor File").
 * Faults: `vmdk.unsupported` for a disk that needs its parent.
 */
export function parseEmbeddedDescriptor(bytes: Buffer): EmbeddedDescriptor {
  const end = bytes.indexOf(0);
  const text = bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const found = /^\s*([A-Za-z][\w.]*)\s*=\s*"?([^"]*?)"?\s*$/.exec(line);
    if (found?.[1] !== undefined && found[2] !== undefined) values.set(found[1].toLowerCase(), found[2]);
  }
  const descriptor: EmbeddedDescriptor = {
    createType: values.get('createtype'),
    adapterType: values.get('ddb.adaptertype'),
    contentId: values.get('cid'),
    parentContentId: values.get('parentcid'),
  };
  const parent = descriptor.parentContentId?.toLowerCase();
  if (parent !== undefined && parent !== 'ffffffff') {
    throw new Fault('vmdk.unsupported', `the VMDK holds only the changes to another disk (parent ${parent})`);
  }
  return descriptor;
}

/** Geometry as VMware's products choose it: 255 × 63 for SCSI, 16 × 63 with at most 16383 cylinders for IDE. */
function geometry(capacitySectors: number, adapter: VmdkAdapter): { cylinders: number; heads: number } {
  const heads = adapter === 'ide' ? 16 : 255;
  const limit = adapter === 'ide' ? 16_383 : 65_535;
  return { cylinders: Math.min(limit, Math.max(1, Math.floor(capacitySectors / (heads * 63)))), heads };
}

export interface DescriptorOptions {
  capacitySectors: number;
  adapter: VmdkAdapter;
  /** Name of the extent: the file's own name. It is not used by readers of a stream. */
  fileName: string;
}

/** The text to embed; the same for the same options. */
export function writeEmbeddedDescriptor({ capacitySectors, adapter, fileName }: DescriptorOptions): Buffer {
  const { cylinders, heads } = geometry(capacitySectors, adapter);
  const name = fileName.replace(/["\p{Cc}]/gu, '_').slice(0, 255);
  const contentId = (crc32(`${adapter} ${capacitySectors} ${name}`) & 0x7fff_ffff).toString(16).padStart(8, '0');
  return Buffer.from(
    `# Disk DescriptorFile
version=1
CID=${contentId}
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW ${capacitySectors} SPARSE "${name}"

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "7"
ddb.adapterType = "${adapter}"
ddb.geometry.cylinders = "${cylinders}"
ddb.geometry.heads = "${heads}"
ddb.geometry.sectors = "63"
`,
  );
}
