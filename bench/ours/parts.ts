import { createInterface } from 'node:readline';
import { collectYoungGarbage } from '../../src/base/young-garbage.ts';
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
import type { PackageDescription } from '../../src/model/machine.ts';

/** The package that both ends know: one machine with one disk. */
export function packageOf(capacityBytes: number): PackageDescription {
  const disk = {
    id: 'disk',
    label: 'disk',
    capacityBytes: Math.ceil(capacityBytes / BLOCK_BYTES) * BLOCK_BYTES,
    controller: 'pvscsi-0',
    unit: 0,
  };
  const machine = {
    id: 'bench',
    name: 'bench',
    notes: '',
    guestId: 'otherGuest',
    cpus: 1,
    coresPerSocket: 1,
    memoryMib: 64,
    firmware: 'bios' as const,
    controllers: [{ id: 'pvscsi-0', kind: 'pvscsi' as const, bus: 0 }],
    disks: [disk],
    nics: [],
    bootOrder: [],
    properties: [],
    eulas: [],
    extras: {},
  };
  return {
    kind: 'vm',
    name: 'bench',
    notes: '',
    machines: [machine],
    networks: [],
    startOrder: [],
    properties: [],
    eulas: [],
  };
}

/** Says `{"ready":true,…}`, waits for a line on stdin, works, and says what that cost. */
export async function onSignal(
  ready: Record<string, unknown>,
  work: () => Promise<Record<string, unknown>>,
): Promise<void> {
  collectYoungGarbage();
  console.log(JSON.stringify({ ready: true, ...ready }));
  for await (const _line of createInterface({ input: process.stdin })) break;
  const before = process.cpuUsage();
  const answer = await work();
  const used = process.cpuUsage(before);
  console.log(
    JSON.stringify({
      done: true,
      cpuSeconds: (used.user + used.system) / 1e6,
      peakBytes: process.resourceUsage().maxRSS * 1024,
      ...answer,
    }),
  );
}
