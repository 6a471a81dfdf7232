import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, BlockMap, hashBlock } from '../../model/block-map.ts';
import { sampleBlock, samplePackage } from '../sample-transfer.ts';
import { Offer } from './offer.ts';

const BLOCKS = 12;
const capacityBytes = BLOCKS * BLOCK_BYTES;
const description = samplePackage({ disk: { capacityBytes, blocks: [] } });

function rootOf(first: number): string {
  const map = new BlockMap('disk', capacityBytes);
  for (let index = 0; index < BLOCKS; index++) map.set(index, hashBlock(sampleBlock(first + index)));
  return map.root();
}

/** Reads the whole disk into the offer, as an export does. */
async function readAll(offer: Offer): Promise<void> {
  for (let index = 0; index < BLOCKS; index++) await offer.add('disk', { index, data: sampleBlock(index) });
  offer.endDisk('disk');
}

const offerOf = (proven?: () => void) =>
  new Offer({
    transfer: 't',
    owner: 'o',
    description,
    windowBytes: 4 * BLOCK_BYTES,
    ...(proven === undefined ? {} : { proven }),
  });

describe('an offer', () => {
  it('is read to its end when the receiver has everything already, however small the window is', async () => {
    const offer = offerOf();
    offer.confirm({ disk: rootOf(0) });
    await readAll(offer);
    await offer.done;
    expect(offer.progress().heldBytes).toBe(0);
    offer.close();
  });

  it('goes on when the receiver says that it has everything while the window is full', async () => {
    const offer = offerOf();
    const reading = readAll(offer);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(offer.progress().heldBytes).toBe(4 * BLOCK_BYTES);
    offer.confirm({ disk: rootOf(0) });
    await reading;
    await offer.done;
    offer.close();
  });

  it('fails when what the receiver has is not what is read', async () => {
    const offer = offerOf();
    offer.confirm({ disk: rootOf(1) });
    await readAll(offer);
    await expect(offer.done).rejects.toMatchObject({ code: 'disk.changed' });
    offer.close();
  });

  it('has what it proved written down before anybody hears that it is done', async () => {
    const order: string[] = [];
    const offer = offerOf(() => order.push('written'));
    offer.listen(() => {
      if (offer.isDone) order.push('told');
    });
    offer.confirm({ disk: rootOf(0) });
    await readAll(offer);
    await offer.done;
    expect(order[0]).toBe('written');
    expect(order).toContain('told');
    offer.close();
  });
});
