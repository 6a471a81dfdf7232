import { Fault } from '../../model/fault.ts';
import { ByteReader } from '../byte-reader.ts';
import { pathOfHref } from '../descriptor/href.ts';
import { parseTarHeader, TAR_BLOCK } from './header.ts';

const MAX_MEMBERS = 10_000;
const MAX_EXTENSION_BYTES = 64 * 1024;

export interface OvaMember {
  name: string;
  /** Where its bytes begin in the archive: with `sizeBytes` a range to read later. */
  offset: number;
  sizeBytes: number;
  /** Its bytes as they arrive; valid until the next ones are asked for. What is not read is passed over. */
  data: AsyncIterable<Uint8Array>;
}

function truncated(reader: ByteReader): Fault {
  return new Fault('ova.invalid', `the OVA ends at byte ${reader.position}, before its end`);
}

/** Records of a pax header: `<length> <key>=<value>\n`. */
function parsePax(bytes: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const length = Number(/^(\d{1,6}) /.exec(bytes.toString('latin1', at, at + 7))?.[1]);
    const record = bytes.toString('utf8', at, at + length);
    const found = /^\d+ ([^=]+)=(.*)\n$/s.exec(record);
    if (!found?.[1] || found[2] === undefined) throw new Fault('ova.invalid', 'the OVA has a damaged pax header');
    records.set(found[1], found[2]);
    at += length;
  }
  return records;
}

function checkName(name: string): string {
  const plain = name.replace(/^\.\//, '');
  pathOfHref(plain);
  return plain;
}

async function* dataOf(reader: ByteReader, end: number): AsyncGenerator<Uint8Array> {
  while (reader.position < end) {
    const bytes = await reader.some(end - reader.position);
    if (bytes.length === 0) throw truncated(reader);
    yield bytes;
  }
}

/**
 * The members of an OVA (a tar archive) in their order, while it arrives. Ask for the next one when done with the
 * bytes of this one. Faults: `ovf.hostile` for names that leave the package, links, devices and names that come twice;
 * `ova.invalid` for what is no whole archive; what the source throws; the reason of an abort.
 */
export async function* readOva(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<OvaMember> {
  const reader = new ByteReader(source, signal);
  const names = new Set<string>();
  let longName: string | undefined;
  let longSize: number | undefined;
  try {
    for (;;) {
      const block = await reader.read(TAR_BLOCK);
      if (block.length < TAR_BLOCK) throw truncated(reader);
      const header = parseTarHeader(block);
      if (!header) return;
      const end = reader.position + header.sizeBytes;
      const next = Math.ceil(end / TAR_BLOCK) * TAR_BLOCK;
      if (header.type === 'x' || header.type === 'L') {
        if (header.sizeBytes > MAX_EXTENSION_BYTES) throw new Fault('ovf.hostile', 'the OVA has an endless name');
        const bytes = await reader.read(header.sizeBytes);
        if (bytes.length < header.sizeBytes) throw truncated(reader);
        const records = header.type === 'x' ? parsePax(bytes) : undefined;
        longName = records ? (records.get('path') ?? longName) : bytes.toString('utf8').replace(/\0+$/, '');
        const size = records?.get('size');
        if (size !== undefined) {
          longSize = /^\d{1,16}$/.test(size) ? Number(size) : Number.NaN;
          if (!Number.isSafeInteger(longSize)) throw new Fault('ova.invalid', 'the OVA has a damaged pax header');
        }
      } else if (header.type !== 'g') {
        const name = checkName(longName ?? header.name);
        if (header.type !== '0' && header.type !== '7') {
          throw new Fault('ovf.hostile', `the OVA has ${JSON.stringify(name)}, which is no plain file`);
        }
        if (names.has(name)) throw new Fault('ovf.hostile', `the OVA has the file ${JSON.stringify(name)} twice`);
        if (names.add(name).size > MAX_MEMBERS)
          throw new Fault('ovf.hostile', `the OVA has more than ${MAX_MEMBERS} files`);
        const offset = reader.position;
        const sizeBytes = longSize ?? header.sizeBytes;
        longName = undefined;
        longSize = undefined;
        yield { name, offset, sizeBytes, data: dataOf(reader, offset + sizeBytes) };
        await passTo(reader, Math.ceil((offset + sizeBytes) / TAR_BLOCK) * TAR_BLOCK);
        continue;
      }
      await passTo(reader, next);
    }
  } finally {
    reader.close();
  }
}

async function passTo(reader: ByteReader, position: number): Promise<void> {
  const distance = position - reader.position;
  if ((await reader.skip(distance)) < distance) throw truncated(reader);
}
