import type { StorageProfile } from './entities.ts';
import { Refusal } from './refusal.ts';
import type { Simulator } from './simulator.ts';

/** Megabytes of a storage profile that disks and media take, counted by their full size as the vendor does. */
export function usedMb(sim: Simulator, profile: string): number {
  const { store } = sim;
  const attached = store
    .all('vm')
    .flatMap((vm) => vm.disks)
    .filter((disk) => disk.storageProfile === profile && disk.independent === null);
  const independent = store.all('disk').filter((disk) => disk.storageProfile === profile);
  const media = store.all('media').filter((one) => one.storageProfile === profile && one.status === 1);
  return (
    [...attached, ...independent].reduce((sum, disk) => sum + disk.sizeMb, 0) +
    media.reduce((sum, one) => sum + Math.ceil(one.bytes / 2 ** 20), 0)
  );
}

export function refuseWhenFull(sim: Simulator, profile: StorageProfile, wantedMb: number): void {
  if (profile.limitMb === 0) return;
  const used = usedMb(sim, profile.id);
  if (used + wantedMb > profile.limitMb) {
    throw new Refusal(
      400,
      'BAD_REQUEST',
      `The requested operation will exceed the VDC's storage quota: storage policy "${profile.name}" has ${profile.limitMb - used} MB remaining, requested ${wantedMb} MB.`,
    );
  }
}

export function defaultProfile(sim: Simulator, vdc: string): StorageProfile {
  const profiles = sim.store.all('storageProfile').filter((profile) => profile.vdc === vdc);
  const found = profiles.find((profile) => profile.isDefault) ?? profiles[0];
  if (found === undefined) throw new Refusal(400, 'BAD_REQUEST', 'The organization VDC has no storage policy.');
  return found;
}
