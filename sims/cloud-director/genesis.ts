import { randomUUID } from 'node:crypto';
import { type DiskFiles, fillFromFile, fillPseudoRandom } from './disk-files.ts';
import {
  type Entity,
  type Nic,
  powerOff,
  powerOn,
  type User,
  type VApp,
  type Vdc,
  type Vm,
  type VmDisk,
} from './entities.ts';
import { computerNameOf } from './guest-customization.ts';
import { diskIdAt, freeUnit } from './hardware.ts';
import { newMac } from './import.ts';
import { bridgedTo } from './network-config.ts';
import { hashPassword, systemOrg } from './sessions.ts';
import type { Store } from './store.ts';
import type { World, WorldMachine, WorldOrg, WorldVdc } from './world.ts';

export interface MainUser {
  org: string;
  user: string;
  password: string;
}

function base(org: string, name: string, description = ''): Entity {
  return { id: randomUUID(), name, description, org, created: new Date().toISOString(), metadata: [] };
}

/**
 * Fills an empty store with a world. Disks are written before the one transaction that makes the world, so a kill in
 * between leaves an empty store and files that the next start sweeps away.
 */
export async function createWorld(store: Store, disks: DiskFiles, world: World, main: MainUser): Promise<void> {
  const orgs =
    world.orgs.some((org) => org.name === main.org) || main.org === systemOrg
      ? world.orgs
      : [...world.orgs, { name: main.org, description: '', users: [], vdcs: [], catalogs: [] }];
  const puts: (() => void)[] = [];
  for (const org of orgs) await addOrg(store, disks, org, main, puts);
  store.atomically(() => {
    if (!orgs.some((org) => org.name === systemOrg)) {
      const system = base('', systemOrg);
      store.put('org', {
        ...system,
        org: system.id,
        fullName: 'System',
        canPublishCatalogs: false,
        canPublishExternally: false,
        canSubscribe: false,
      });
      addUser(store, system.id, 'administrator', main.password, 'System Administrator');
    }
    for (const put of puts) put();
  });
}

function addUser(
  store: Store,
  org: string,
  name: string,
  password: string,
  role: string,
  more: Pick<User, 'rights' | 'provider'> = {},
): string {
  const user = { ...base(org, name), role, passwordHash: hashPassword(password), ...more };
  store.put('user', user);
  return user.id;
}

/** Sets the main user's password at each start, and adds the user when the world does not have it. */
export function ensureMainUser(store: Store, main: MainUser): void {
  const org = store.all('org').find((candidate) => candidate.name.toLowerCase() === main.org.toLowerCase());
  if (org === undefined)
    throw new Error(`cloud-director lab: the organization "${main.org}" does not exist in the data folder`);
  const user = store.all('user').find((candidate) => candidate.org === org.id && candidate.name === main.user);
  if (user === undefined) addUser(store, org.id, main.user, main.password, 'Organization Administrator');
  else store.change('user', user.id, { passwordHash: hashPassword(main.password) });
}

async function addOrg(
  store: Store,
  disks: DiskFiles,
  org: WorldOrg,
  main: MainUser,
  puts: (() => void)[],
): Promise<void> {
  const entity = base('', org.name, org.description);
  const id = entity.id;
  puts.push(() =>
    store.put('org', {
      ...entity,
      org: id,
      fullName: org.fullName ?? org.name,
      canPublishCatalogs: true,
      canPublishExternally: true,
      canSubscribe: true,
    }),
  );
  const users = new Map<string, Partial<WorldOrg['users'][number]> & { name: string; role: string }>(
    org.users.map((user) => [user.name, user]),
  );
  const first = org.name === main.org ? main.user : 'administrator';
  if (!users.has(first)) users.set(first, { name: first, role: 'Organization Administrator' });
  let owner = '';
  puts.push(() => {
    for (const user of users.values()) {
      const { rights, provider, apiToken } = user;
      const more = { ...(rights === undefined ? {} : { rights }), ...(provider === undefined ? {} : { provider }) };
      const added = addUser(store, id, user.name, user.password ?? main.password, user.role, more);
      if (apiToken !== undefined) {
        store.put('apiToken', { ...base(id, 'token'), user: added, clientId: randomUUID(), ...apiToken });
      }
      if (user.name === first) owner = added;
    }
  });
  const vdcs =
    org.vdcs.length > 0
      ? org.vdcs
      : [
          {
            name: 'vdc1',
            description: '',
            cpuLimitMhz: 0,
            memoryLimitMb: 0,
            vmQuota: 0,
            storageProfiles: [{ name: '*', limitMb: 0 }],
            networks: [],
            vapps: [],
          },
        ];
  const made: { vdc: Vdc; profile: string }[] = [];
  for (const vdc of vdcs) made.push(await addVdc(store, disks, id, vdc, () => owner, puts));
  const home = made[0]!;
  for (const catalog of org.catalogs) {
    const catalogEntity = base(id, catalog.name, catalog.description);
    puts.push(() =>
      store.put('catalog', {
        ...catalogEntity,
        owner,
        version: 1,
        storageProfile: null,
        isPublished: false,
        external: null,
        access: null,
      }),
    );
    for (const template of catalog.templates) {
      const templateEntity = base(id, template.name, template.description);
      const vms: Vm[] = [];
      for (const vm of template.vms)
        vms.push(await makeVm(disks, id, { kind: 'template', id: templateEntity.id }, vm, home.profile));
      puts.push(() => {
        store.put('template', {
          ...templateEntity,
          vdc: home.vdc.id,
          owner,
          networks: [],
          startup: [],
          products: [],
          lease: { deploymentSeconds: 0, storageSeconds: 0 },
          eulas: [],
          staged: null,
          status: 8,
          descriptorUploaded: true,
          goldMaster: false,
          customizeOnInstantiate: true,
          storageProfile: home.profile,
          upload: null,
        });
        for (const vm of vms) store.put('vm', vm);
        store.put('catalogItem', {
          ...base(id, template.name, template.description),
          catalog: catalogEntity.id,
          entity: { kind: 'template', id: templateEntity.id },
          version: 1,
        });
      });
    }
  }
}

async function addVdc(
  store: Store,
  disks: DiskFiles,
  org: string,
  source: WorldVdc,
  owner: () => string,
  puts: (() => void)[],
): Promise<{ vdc: Vdc; profile: string }> {
  const vdc: Vdc = {
    ...base(org, source.name, source.description),
    cpuLimitMhz: source.cpuLimitMhz,
    memoryLimitMb: source.memoryLimitMb,
    vmQuota: source.vmQuota,
    access: null,
  };
  const profiles = source.storageProfiles.map((profile, index) => ({
    ...base(org, profile.name),
    vdc: vdc.id,
    limitMb: profile.limitMb,
    isDefault: index === 0,
  }));
  const networks = source.networks.map(({ name, description, fence, shared, ...scope }) => ({
    ...base(org, name, description),
    vdc: vdc.id,
    fence,
    shared,
    scope: { inherited: false, ...scope },
  }));
  const profile = profiles[0]!.id;
  const vapps: { vapp: VApp; vms: Vm[] }[] = [];
  for (const one of source.vapps) {
    const entity = base(org, one.name, one.description);
    const vms: Vm[] = [];
    for (const vm of one.vms) vms.push(await makeVm(disks, org, { kind: 'vapp', id: entity.id }, vm, profile));
    const used = new Set(vms.flatMap((vm) => vm.nics.map((nic) => nic.network)));
    const vapp: VApp = {
      ...entity,
      vdc: vdc.id,
      owner: '',
      networks: networks.filter((network) => used.has(network.name)).map(bridgedTo),
      startup: vms.map((vm) => ({
        id: vm.name,
        order: 0,
        startAction: 'powerOn',
        startDelay: 0,
        stopAction: 'powerOff',
        stopDelay: 0,
        waitingForGuest: false,
      })),
      products: [],
      lease: { deploymentSeconds: 0, storageSeconds: 0 },
      eulas: [],
      staged: null,
      fixedStatus: null,
      deployed: vms.some((vm) => vm.deployed),
      bareState: 'never',
      maintenance: false,
      autoNature: false,
      access: null,
    };
    vapps.push({ vapp, vms });
  }
  puts.push(() => {
    store.put('vdc', vdc);
    for (const one of profiles) store.put('storageProfile', one);
    for (const network of networks) store.put('network', network);
    for (const { vapp, vms } of vapps) {
      store.put('vapp', { ...vapp, owner: owner() });
      for (const vm of vms) store.put('vm', vm);
    }
  });
  return { vdc, profile };
}

async function makeVm(
  disks: DiskFiles,
  org: string,
  parent: Vm['parent'],
  source: WorldMachine,
  profile: string,
): Promise<Vm> {
  const vmDisks: VmDisk[] = [];
  for (const disk of source.disks) {
    const bytes = disk.sizeMb * 2 ** 20;
    const { content } = disk;
    const unit = disk.unit ?? freeUnit(vmDisks, disk.controller, disk.bus);
    const file =
      content.kind === 'empty'
        ? null
        : await disks.create(bytes, (writer) =>
            content.kind === 'random'
              ? fillPseudoRandom(writer, bytes, content.seed, content.dataBytes)
              : fillFromFile(writer, content.path),
          );
    const subtype = { ide: '', scsi: disk.subtype, sata: 'vmware.sata.ahci', nvme: 'vmware.nvme.controller' }[
      disk.controller
    ];
    vmDisks.push({
      id: diskIdAt(disk.controller, disk.bus, unit),
      name: `Hard disk ${vmDisks.length + 1}`,
      sizeMb: disk.sizeMb,
      file,
      controller: disk.controller,
      subtype,
      bus: disk.bus,
      unit,
      storageProfile: profile,
      independent: null,
    });
  }
  const nics = source.nics.map(
    (nic, index): Nic => ({
      index,
      network: nic.network,
      mac: nic.mac ?? newMac(),
      adapter: nic.adapter,
      connected: nic.connected,
      mode: nic.network === 'none' ? 'NONE' : nic.mode,
      ip: nic.ip,
    }),
  );
  return {
    ...base(org, source.name, source.description),
    parent,
    localId: source.name,
    status: source.poweredOn ? powerOn : powerOff,
    deployed: source.poweredOn,
    osType: source.osType,
    osId: 101,
    osDescription: source.osType,
    hardwareVersion: source.hardwareVersion,
    firmware: source.firmware,
    cpus: source.cpus,
    coresPerSocket: source.coresPerSocket,
    memoryMb: source.memoryMb,
    disks: vmDisks,
    nics,
    primaryNic: 0,
    configs: [],
    drives: [{ type: 15, name: 'CD/DVD Drive 1', media: null }],
    customization: { enabled: source.customized, computerName: computerNameOf(source.name, source.osType), rest: {} },
    products: [],
    transport: '',
    biosUuid: randomUUID(),
    storageProfile: profile,
    nested: false,
    snapshot: null,
  };
}
