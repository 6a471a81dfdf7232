import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { touchCatalog } from './catalog.ts';
import type { Nic, Template, Transfer, Vm, VmDisk } from './entities.ts';
import { computerNameOf, readCustomization } from './guest-customization.ts';
import { diskIdAt } from './hardware.ts';
import { readNetworkConfigs } from './network-config.ts';
import type { OvfDisk, OvfPackage, OvfSystem } from './ovf/package.ts';
import { readOvf } from './ovf/read.ts';
import { refuseWhenFull } from './quota.ts';
import { badRequest } from './refusal.ts';
import { noteFiles, removeTemplate, removeTransfer } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { storedFile } from './transfer.ts';
import { decodeVmdk } from './vmdk/decode.ts';
import { VmdkError } from './vmdk/format.ts';
import { attributeOf, booleanOf, textOf } from './xml/tree.ts';

const mib = 2 ** 20;

/** The task that makes a template of an upload that is complete: checks the manifest, decodes the disks, adds the VMs. */
export function defineImportWork(sim: Simulator): void {
  sim.tasks.define('importTemplate', {
    run: async ({ args, signal, progress }) => {
      const template = sim.store.must('template', String(args));
      const transfer = sim.store.must('transfer', template.upload ?? '');
      const ovf = readOvf(await readFile(storedFile(sim, transfer.id, 0), 'utf8'));
      if (transfer.manifestRequired) await checkManifest(sim, transfer, signal);
      const files = await importDisks(sim, template, transfer, ovf, signal, progress);
      return () => commitImport(sim, template, transfer, ovf, files);
    },
    failed: ({ args }, canceled) => {
      const template = sim.store.get('template', String(args));
      if (template === undefined) return;
      if (canceled) {
        removeTemplate(sim, template.id);
        return;
      }
      removeTransfer(sim, template.upload);
      sim.store.change('template', template.id, { status: -1, upload: null });
    },
  });
}

async function checkManifest(sim: Simulator, transfer: Transfer, signal: AbortSignal): Promise<void> {
  const index = transfer.files.findIndex((file) => file.name === 'descriptor.mf');
  const text = await readFile(storedFile(sim, transfer.id, index), 'utf8');
  const wanted = new Map<string, { algorithm: string; hex: string }>();
  for (const line of text.split(/\r?\n/)) {
    const found = /^(SHA1|SHA256|SHA512)\s*\((.+)\)\s*=\s*([0-9a-fA-F]+)\s*$/.exec(line);
    if (found !== null) wanted.set(found[2]!, { algorithm: found[1]!.toLowerCase(), hex: found[3]!.toLowerCase() });
  }
  for (const [number, file] of transfer.files.entries()) {
    // The descriptor's own line is not checked: clients send it in another serialization than the one they hashed.
    if (number === 0 || number === index) continue;
    const line = wanted.get(file.name);
    if (line === undefined) throw badRequest(`The manifest has no line for the file "${file.name}".`);
    const hash = createHash(line.algorithm);
    await pipeline(createReadStream(storedFile(sim, transfer.id, number)), hash, { signal });
    if (hash.digest('hex') !== line.hex)
      throw badRequest(`The checksum of the file "${file.name}" does not match the manifest.`);
  }
}

/** Decodes every used disk into a raw file; the key is the OVF disk id, null an empty disk. */
async function importDisks(
  sim: Simulator,
  template: Template,
  transfer: Transfer,
  ovf: OvfPackage,
  signal: AbortSignal,
  progress: (percent: number) => void,
): Promise<Map<string, string | null>> {
  const used = ovf.disks.filter((disk) =>
    ovf.systems.some((system) => system.disks.some((item) => item.disk === disk.id)),
  );
  const wantedMb = used.reduce((sum, disk) => sum + Math.ceil(disk.capacityBytes / mib), 0);
  refuseWhenFull(sim, sim.store.must('storageProfile', template.storageProfile), wantedMb);
  const files = new Map<string, string | null>();
  try {
    for (const [number, disk] of used.entries()) {
      progress(90 + (number / used.length) * 9);
      files.set(disk.id, disk.file === null ? null : await importDisk(sim, transfer, ovf, disk, signal));
    }
  } catch (error) {
    for (const file of files.values()) if (file !== null) await sim.disks.remove(file);
    if (error instanceof VmdkError) throw badRequest(`Unsupported or invalid disk format: ${error.message}.`);
    throw error;
  }
  return files;
}

async function importDisk(
  sim: Simulator,
  transfer: Transfer,
  ovf: OvfPackage,
  disk: OvfDisk,
  signal: AbortSignal,
): Promise<string> {
  const index = transfer.files.findIndex((file) => file.name === disk.file);
  const gzip = ovf.files.find((file) => file.href === disk.file)?.gzip === true;
  const raw = createReadStream(storedFile(sim, transfer.id, index), { highWaterMark: mib });
  const source = gzip ? raw.pipe(createGunzip()) : raw;
  raw.on('error', (error) => source.destroy(error));
  const step = Math.max(disk.unitBytes, mib);
  const accept = (capacityBytes: number) => {
    // A descriptor may round the capacity up to its own unit, and Cloud Director to whole MiB, but no further.
    const rounded = Math.ceil(capacityBytes / step) * step;
    if (
      disk.capacityBytes !== capacityBytes &&
      disk.capacityBytes !== rounded &&
      disk.capacityBytes !== Math.ceil(capacityBytes / disk.unitBytes) * disk.unitBytes
    ) {
      throw badRequest(
        `The disk "${disk.id}" has ${capacityBytes} bytes, but the descriptor says ${disk.capacityBytes}.`,
      );
    }
  };
  try {
    return await sim.disks.create(Math.ceil(disk.capacityBytes / mib) * mib, async (writer) => {
      await decodeVmdk(source, writer, accept, signal);
    });
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (typeof code === 'string' && code.startsWith('Z_'))
      throw badRequest(`The file "${disk.file}" is not valid gzip.`);
    throw error;
  } finally {
    raw.destroy();
  }
}

function commitImport(
  sim: Simulator,
  template: Template,
  transfer: Transfer,
  ovf: OvfPackage,
  files: Map<string, string | null>,
): void {
  if (sim.store.get('template', template.id) === undefined)
    throw badRequest('The template was deleted while it was imported.');
  const names = new Set<string>();
  for (const system of ovf.systems) {
    const vm = templateVm(template, system, ovf, files);
    for (let copy = 1; names.has(vm.name); copy++) vm.name = `${system.name}-${copy}`;
    names.add(vm.name);
    sim.store.put('vm', vm);
  }
  const lease = ovf.vendor.LeaseSettingsSection;
  const customization = ovf.vendor.CustomizationSection;
  sim.store.change('template', template.id, {
    status: 8,
    upload: null,
    description: template.description === '' ? ovf.annotation : template.description,
    networks: readNetworkConfigs(ovf.vendor.NetworkConfigSection, ovf.networks),
    startup: ovf.startup,
    products: ovf.products,
    eulas: [...ovf.eulas, ...ovf.systems.flatMap((system) => system.eulas)],
    goldMaster: booleanOf(attributeOf(customization, 'goldMaster')) ?? false,
    customizeOnInstantiate: booleanOf(textOf(customization, 'CustomizeOnInstantiate')) ?? true,
    lease: {
      deploymentSeconds: Number(textOf(lease, 'DeploymentLeaseInSeconds') ?? 0),
      storageSeconds: Number(textOf(lease, 'StorageLeaseInSeconds') ?? 0),
    },
  });
  for (const item of sim.store.all('catalogItem')) {
    if (item.entity.id === template.id) touchCatalog(sim, item.catalog);
  }
  noteFiles(sim, files.values());
  removeTransfer(sim, transfer.id);
}

export function newMac(): string {
  const [a = 0, b = 0, c = 0] = randomBytes(3);
  return ['00', '50', '56', ...[a & 0x3f, b, c].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

function templateVm(template: Template, system: OvfSystem, ovf: OvfPackage, files: Map<string, string | null>): Vm {
  const disks = system.disks.map((item): VmDisk => {
    const disk = ovf.disks.find(({ id }) => id === item.disk)!;
    return {
      id: diskIdAt(item.controller, item.bus, item.unit),
      name: item.name,
      sizeMb: Math.ceil(disk.capacityBytes / mib),
      file: files.get(disk.id) ?? null,
      controller: item.controller,
      subtype: item.subtype,
      bus: item.bus,
      unit: item.unit,
      storageProfile: template.storageProfile,
      independent: null,
    };
  });
  const nics = system.nics.map((nic, index): Nic => {
    const mode = attributeOf(nic.connection, 'ipAddressingMode');
    return {
      index,
      network: nic.network,
      mac: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(nic.mac) ? nic.mac : newMac(),
      adapter: nic.adapter,
      connected: nic.connected,
      mode: mode === 'POOL' || mode === 'MANUAL' || mode === 'NONE' || mode === 'DHCP' ? mode : 'DHCP',
      ip: attributeOf(nic.connection, 'ipAddress') ?? '',
    };
  });
  const primary = system.nics.findIndex((nic) => booleanOf(attributeOf(nic.connection, 'primaryNetworkConnection')));
  const firmware = system.configs.find(({ key }) => key === 'firmware')?.value;
  const biosUuid = system.configs.find(({ key }) => key === 'uuid.bios')?.value;
  return {
    id: randomUUID(),
    name: system.name,
    description: system.annotation,
    org: template.org,
    created: new Date().toISOString(),
    metadata: [],
    parent: { kind: 'template', id: template.id },
    localId: system.id || system.name,
    status: 8,
    deployed: false,
    osType: system.osType,
    osId: system.osId,
    osDescription: system.osDescription,
    hardwareVersion: system.hardwareVersion,
    firmware: firmware === 'efi' ? 'efi' : 'bios',
    cpus: system.cpus,
    coresPerSocket: system.coresPerSocket,
    memoryMb: system.memoryMb,
    disks,
    nics,
    primaryNic: Math.max(0, primary),
    configs: system.configs.filter(({ key }) => key !== 'firmware' && key !== 'uuid.bios'),
    drives: system.drives.map((drive) => ({ ...drive, media: null })),
    customization: readCustomization(system.vendor.GuestCustomizationSection, {
      enabled: false,
      computerName: computerNameOf(system.name, system.osType),
      rest: {},
    }),
    products: system.products,
    transport: system.transport,
    biosUuid: biosUuid ?? randomUUID(),
    storageProfile: template.storageProfile,
    nested: false,
    snapshot: null,
  };
}
