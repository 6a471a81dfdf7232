import { Fault } from '../../model/fault.ts';
import { TAR_BLOCK, writeTarHeader } from './header.ts';

export interface OvaInput {
  /** At most 100 bytes of UTF-8. */
  name: string;
  sizeBytes: number;
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * An OVA with the members in the order given (the descriptor belongs first, then its manifest). Members of more than
 * 8 GiB are written with binary sizes. Fault: `ova.invalid` when a member has other bytes than it said.
 */
export async function* writeOva(members: AsyncIterable<OvaInput> | Iterable<OvaInput>): AsyncGenerator<Uint8Array> {
  for await (const { name, sizeBytes, data } of members) {
    yield writeTarHeader({ name, sizeBytes, type: '0' });
    let written = 0;
    for await (const bytes of data) {
      written += bytes.length;
      if (written > sizeBytes) break;
      yield bytes;
    }
    if (written !== sizeBytes) {
      const found = written > sizeBytes ? 'more' : `only ${written}`;
      throw new Fault('ova.invalid', `${JSON.stringify(name)} was to have ${sizeBytes} bytes and has ${found}`);
    }
    yield Buffer.alloc(-sizeBytes & (TAR_BLOCK - 1));
  }
  yield Buffer.alloc(2 * TAR_BLOCK);
}
