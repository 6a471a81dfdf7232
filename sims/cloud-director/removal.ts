import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Simulator } from './simulator.ts';

/** Takes entities out of the store with all that hangs on them. Call inside `atomically`; files go afterwards. */
export function removeTemplate(sim: Simulator, id: string): void {
  const template = sim.store.get('template', id);
  if (template === undefined) return;
  removeTransfer(sim, template.upload);
  removeTransfer(sim, template.staged);
  endOpenTasks(sim, id);
  for (const vm of sim.store.all('vm')) {
    if (vm.parent.kind === 'template' && vm.parent.id === id) sim.store.remove('vm', vm.id);
  }
  removeItemsOf(sim, id);
  sim.store.remove('template', id);
  sweepSoon(sim);
}

export function removeMedia(sim: Simulator, id: string): void {
  const media = sim.store.get('media', id);
  if (media === undefined) return;
  removeTransfer(sim, media.upload);
  removeTransfer(sim, media.staged);
  endOpenTasks(sim, id);
  removeItemsOf(sim, id);
  sim.store.remove('media', id);
  sweepSoon(sim);
}

export function removeVapp(sim: Simulator, id: string): void {
  const vapp = sim.store.get('vapp', id);
  if (vapp === undefined) return;
  removeTransfer(sim, vapp.staged);
  for (const vm of sim.store.all('vm')) {
    if (vm.parent.kind === 'vapp' && vm.parent.id === id) sim.store.remove('vm', vm.id);
  }
  sim.store.remove('vapp', id);
  sweepSoon(sim);
}

/** Removes one VM of a vApp; a hidden vApp goes with its only VM. */
export function removeVm(sim: Simulator, id: string): void {
  const vm = sim.store.get('vm', id);
  if (vm === undefined) return;
  sim.store.remove('vm', id);
  const vapp = sim.store.get('vapp', vm.parent.id);
  if (vapp?.autoNature === true) removeVapp(sim, vapp.id);
  else if (vapp !== undefined) {
    sim.store.change('vapp', vapp.id, { startup: vapp.startup.filter((item) => item.id !== vm.name) });
  }
  sweepSoon(sim);
}

export function removeTransfer(sim: Simulator, id: string | null): void {
  if (id === null) return;
  sim.store.remove('transfer', id);
  track(rm(join(sim.transferFolder, id), { recursive: true, force: true }));
}

const removals = new Set<Promise<void>>();

function track(removal: Promise<void>): void {
  const done = removal.catch(() => {}).finally(() => removals.delete(done));
  removals.add(done);
}

/** Resolves when the files of everything removed so far are gone. A file that resists stays for the next start. */
export async function settledRemovals(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all(removals);
}

function endOpenTasks(sim: Simulator, owner: string): void {
  for (const task of sim.tasks.openOn(owner)) {
    if (/^(import|stage)/.test(task.work.kind)) sim.tasks.end(task.id, 'canceled', null);
  }
}

function removeItemsOf(sim: Simulator, entity: string): void {
  for (const item of sim.store.all('catalogItem')) {
    if (item.entity.id === entity) sim.store.remove('catalogItem', item.id);
  }
}

/** Ids of all raw disks that something in the store names. */
export function usedFiles(sim: Simulator): Set<string> {
  const { store } = sim;
  const disks = store.all('vm').flatMap((vm) => [...vm.disks, ...(vm.snapshot?.hardware.disks ?? [])]);
  const named = [...disks, ...store.all('media'), ...store.all('disk')].map(({ file }) => file);
  return new Set(named.filter((file) => file !== null));
}

const filesBefore = new WeakMap<Simulator, Set<string>>();

/** Removes raw disks that were named before and are not any more, after the transaction at hand. */
function sweepSoon(sim: Simulator): void {
  if (!filesBefore.has(sim)) filesBefore.set(sim, new Set());
  setImmediate(() => {
    const known = filesBefore.get(sim);
    if (known === undefined || sim.closing.aborted) return;
    const used = usedFiles(sim);
    for (const file of known) {
      if (used.has(file)) continue;
      known.delete(file);
      track(sim.disks.remove(file));
    }
  });
}

/** Tells the sweep about a raw disk that a finished task has put into the store. */
export function noteFiles(sim: Simulator, files: Iterable<string | null>): void {
  const known = filesBefore.get(sim) ?? new Set<string>();
  filesBefore.set(sim, known);
  for (const file of files) if (file !== null) known.add(file);
}
