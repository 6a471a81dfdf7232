import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Call, noContent, type Reply, type View } from './call.ts';
import type { Container, Task, Template, Transfer, TransferFile, VApp, Vm } from './entities.ts';
import { type OvaMember, ovaBytes } from './ovf/ova.ts';
import { type ExportedFile, type ExportedPackage, writeOvf } from './ovf/write.ts';
import { link } from './references.ts';
import { busyEntity } from './refusal.ts';
import { removeTransfer } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { begin } from './task-document.ts';
import { storedFile, transferPath } from './transfer.ts';
import { vmsOf } from './vapp-template.ts';
import { encodeVmdk } from './vmdk/encode.ts';
import type { Markup } from './xml/writer.ts';

type Kind = 'template' | 'vapp';
interface StageArgs {
  kind: Kind;
  id: string;
  transfer: string;
}

export function packageOf(sim: Simulator, kind: Kind, entity: Container, files: ExportedFile[]): ExportedPackage {
  const template = kind === 'template' ? (entity as Template) : undefined;
  return {
    name: entity.name,
    description: entity.description,
    networks: entity.networks,
    startup: entity.startup,
    products: entity.products,
    eulas: entity.eulas,
    goldMaster: template?.goldMaster ?? false,
    customizeOnInstantiate: template?.customizeOnInstantiate ?? true,
    vms: vmsOf(sim, kind, entity.id),
    files,
  };
}

/** The links to a staged download; newer releases also offer it as one OVA. */
export function downloadLinks(view: View, staged: string | null): Markup[] {
  if (staged === null || view.sim.store.get('transfer', staged) === undefined) return [];
  const at = (rel: string, name: string, type: string) => link(view, rel, transferPath(staged, name), type);
  const links = [
    at('download:default', 'descriptor.ovf', 'text/xml'),
    at('download:identity', 'descriptor-with-id.ovf', 'text/xml'),
  ];
  if (view.version < 29) return links;
  return [
    ...links,
    at('download:ovaDefault', 'descriptor.ova', 'application/binary'),
    at('download:ovaIdentity', 'descriptor-with-id.ova', 'application/binary'),
  ];
}

/** Starts the task that writes the export into the transfer area; a download that is there already is replaced. */
export function beginStaging(call: Call, kind: Kind, entity: Template | VApp): Task {
  call.sim.tasks.refuseWhenBusy(kind === 'template' ? 'vApp template' : 'vApp', entity.name, entity.id);
  const args: StageArgs = { kind, id: entity.id, transfer: randomUUID() };
  const operationName = kind === 'template' ? 'vappTemplateEnableDownload' : 'vappEnableDownload';
  return begin(
    call,
    operationName,
    `Enabling download of ${entity.name}(${entity.id})`,
    { ...entity, kind },
    { kind: 'stage', args },
  );
}

export function dropDownload(call: Call, kind: Kind, entity: Container): Reply {
  if (call.sim.tasks.openOn(entity.id).length > 0) throw busyEntity(kind, entity.name);
  call.sim.store.atomically(() => {
    call.sim.store.change(kind, entity.id, { staged: null });
    removeTransfer(call.sim, entity.staged);
  });
  return noContent;
}

export function defineDownloadWork(sim: Simulator): void {
  sim.tasks.define('stage', {
    run: async ({ args, task, signal, progress }) => {
      const { kind, id, transfer } = args as StageArgs;
      const entity: Template | VApp = sim.store.must(kind, id);
      const folder = join(sim.transferFolder, transfer);
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      try {
        const files = await stage(sim, kind, entity, transfer, signal, progress);
        return () => {
          removeTransfer(sim, sim.store.get(kind, id)?.staged ?? null);
          sim.store.put('transfer', downloadTransfer(transfer, entity, { kind, id }, task.id, files));
          sim.store.change(kind, id, { staged: transfer });
        };
      } catch (error) {
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
    },
    failed: ({ args }) => removeTransfer(sim, (args as StageArgs).transfer),
  });
}

export function downloadTransfer(
  id: string,
  entity: { name: string; org: string },
  owner: Transfer['owner'],
  task: string,
  files: TransferFile[],
): Transfer {
  const now = new Date().toISOString();
  return {
    id,
    name: entity.name,
    description: '',
    org: entity.org,
    created: now,
    metadata: [],
    direction: 'download',
    owner,
    task,
    files,
    touched: now,
    manifestRequired: false,
    complete: false,
  };
}

async function stage(
  sim: Simulator,
  kind: Kind,
  entity: Template | VApp,
  transfer: string,
  signal: AbortSignal,
  progress: (percent: number) => void,
): Promise<TransferFile[]> {
  const vms = vmsOf(sim, kind, entity.id);
  const jobs = vms.flatMap((vm) => vm.disks.map((disk, number) => ({ vm, disk, href: diskFileName(vm, number) })));
  const exported: ExportedFile[] = [];
  for (const [number, { vm, disk, href }] of jobs.entries()) {
    progress((number / jobs.length) * 100);
    await using reader = await sim.disks.open(disk.file, disk.sizeMb * 2 ** 20);
    const path = storedFile(sim, transfer, 4 + number);
    await pipeline(encodeVmdk(reader, disk.file ?? 'empty', signal), createWriteStream(path), { signal });
    exported.push({ vm: vm.id, disk: disk.id, href, bytes: (await stat(path)).size });
  }
  const source = packageOf(sim, kind, entity, exported);
  const disks = exported.map(({ href, bytes }) => stagedFile(href, bytes, 'application/octet-stream'));
  const descriptors: TransferFile[] = [];
  const archives: TransferFile[] = [];
  for (const [number, name] of ['descriptor', 'descriptor-with-id'].entries()) {
    const path = storedFile(sim, transfer, number);
    const text = Buffer.from(writeOvf(source, number === 1));
    await writeFile(path, text);
    descriptors.push(stagedFile(`${name}.ovf`, text.length, 'text/xml'));
    archives.push(
      stagedFile(
        `${name}.ova`,
        ovaBytes([
          { name: '', bytes: text.length, path },
          ...exported.map((file) => ({ name: '', bytes: file.bytes, path: '' })),
        ]),
        'application/binary',
      ),
    );
  }
  return [...descriptors, ...archives, ...disks];
}

function stagedFile(name: string, bytes: number, type: string): TransferFile {
  return { name, bytes, transferred: bytes, type };
}

/** Members of a staged OVA (file 2 or 3): its descriptor (file 0 or 1) and the disks (file 4 and up). */
export function ovaMembers(sim: Simulator, transfer: Transfer, index: number): OvaMember[] {
  return [index - 2, ...transfer.files.keys()]
    .filter((number, position) => position === 0 || number >= 4)
    .map((number) => ({
      name: transfer.files[number]!.name,
      bytes: transfer.files[number]!.bytes,
      path: storedFile(sim, transfer.id, number),
    }));
}

function diskFileName(vm: Vm, number: number): string {
  return `vm-${vm.id}-disk-${number}.vmdk`;
}
