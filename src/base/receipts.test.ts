import { expect, test } from 'vitest';
import type { Receipt } from '../model/receipt.ts';
import { createIdentity, signWith } from './identity.ts';
import { faultsOfReceipt, rootOfDisks, signedText } from './receipts.ts';
import { publicKeyOf } from './sealed-key.ts';

const left = await createIdentity('left');
const right = await createIdentity('right');
const keys = { [left.pin]: publicKeyOf(left.certificate), [right.pin]: publicKeyOf(right.certificate) };
const root = 'ab'.repeat(32);

function receipt(more: Partial<Receipt> = {}): Receipt {
  const node = { name: 'n', version: '1' };
  return {
    version: 1,
    job: 'job',
    transfer: 'job',
    source: { cloud: 'a', object: 'vm-1', name: 'web', version: 'v1' },
    destination: { cloud: 'b', object: 'vm-2', name: 'web' },
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:01:00.000Z',
    nodes: { source: { pin: left.pin, ...node }, destination: { pin: right.pin, ...node } },
    disks: [{ disk: 'd', label: 'D', capacityBytes: 1, sourceRoot: root, destinationRoot: root, level: 'sent' }],
    sourceRoot: rootOfDisks([root]),
    destinationRoot: rootOfDisks([root]),
    signatures: {},
    ...more,
  };
}

function signed(unsigned: Receipt, by = [left, right]): Receipt {
  const text = signedText(unsigned);
  return { ...unsigned, signatures: Object.fromEntries(by.map((one) => [one.pin, signWith(one, text)])) };
}

test('a receipt that carries its keys is checked with them alone', () => {
  expect(faultsOfReceipt({ ...signed(receipt()), keys }, {})).toEqual([]);
});

test('an old receipt, without keys and names of nodes, is checked with the keys that somebody else has', () => {
  const { nodes: _, ...old } = receipt();
  expect(faultsOfReceipt(signed(old), keys)).toEqual([]);
  expect(faultsOfReceipt(signed(old), {}).join()).toContain('not known here');
});

test('fields that a newer version has signed count', () => {
  const newer = { ...signed({ ...receipt(), later: 'field' } as Receipt), keys };
  expect(faultsOfReceipt(newer, {})).toEqual([]);
  expect(faultsOfReceipt({ ...newer, later: 'changed' } as Receipt, {})).toHaveLength(2);
});

test('every change, a missing signature and a strange key are faults', async () => {
  const good = { ...signed(receipt()), keys };
  const disk = good.disks[0]!;
  const stranger = await createIdentity('stranger');
  for (const bad of [
    { ...good, endedAt: '2026-01-02T00:00:00.000Z' },
    { ...good, disks: [{ ...disk, level: 'readback' as const }] },
    { ...good, disks: [{ ...disk, destinationRoot: 'cd'.repeat(32) }] },
    { ...good, sourceRoot: root },
    { ...good, signatures: {} },
    { ...signed(receipt(), [left]), keys },
    { ...good, keys: { ...keys, [left.pin]: publicKeyOf(stranger.certificate) } },
    { ...signed(receipt(), [left, stranger]), keys: { ...keys, [stranger.pin]: publicKeyOf(stranger.certificate) } },
  ]) {
    expect(faultsOfReceipt(bad, {}), JSON.stringify(bad)).not.toEqual([]);
  }
});
