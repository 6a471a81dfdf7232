/** What works of a fake node leave and tell. */
import type { WorkOrder } from '../../src/protocol/work.ts';
import { description, MIB } from './server-toy-cloud.ts';

export const ROOT = 'a'.repeat(64);

export function ledgerRow(order: WorkOrder & { kind: 'import' }, state: 'made') {
  const { job, owner, cloud, marker } = order;
  const made = {
    action: 'create',
    kind: 'vm',
    role: 'machine',
    name: order.order.name,
    objectId: `new-${marker}`,
  } as const;
  return { id: `row-${marker}`, job, owner, cloud, marker, ...made, state, at: new Date().toISOString() };
}

/** @param arrivingRoot Root with which imports arrive. */
export function resultOf(arrivingRoot: string, order: WorkOrder) {
  if (order.kind === 'undo')
    return { description: description('') as never, disks: [], differences: [], leftovers: [] };
  const root = order.kind === 'import' ? arrivingRoot : ROOT;
  const proof = { disk: 'd0', label: 'Hard disk 1', capacityBytes: MIB, root, level: 'sent' as const };
  const base = { description: description('x') as never, disks: [proof], differences: [], leftovers: [] };
  if (order.kind !== 'import') return { ...base, version: 'v1' };
  return { ...base, object: { id: `new-${order.marker}`, kind: 'vm', name: order.order.name } };
}
