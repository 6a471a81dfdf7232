import { mkdir, mkdtemp, open, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type FaultSet, startVcenter, type WorldInput } from '../../sims/vcenter/index.ts';
import { driver } from '../../src/drivers/vsphere/index.ts';
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
import { DiskContent } from './conformance/disk-content.ts';
import { quietLog } from './conformance/work.ts';
import type { KnownSource, World } from './conformance/world.ts';
import { escaped, VcenterHands } from './vcenter-hands.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

const DISKS = {
  vm: [new DiskContent('known vm 0', 9 * MIB + 3 * KIB), new DiskContent('known vm 1', 5 * MIB)],
  vapp: [
    new DiskContent('known vapp 0', 4 * MIB),
    new DiskContent('known vapp 1', 3 * MIB + KIB),
    new DiskContent('known vapp 2', 2 * MIB),
  ],
  template: [new DiskContent('known template 0', 6 * MIB)],
};

const IMAGE = new DiskContent('known image', 3 * MIB + 17, 'file');

export interface VcenterWorld extends World {
  hands: VcenterHands;
}

/** A lab vCenter with a VM, a vApp and a template whose disks were written as raw files, not by any VMDK code of ours. */
export async function startVcenterWorld(): Promise<VcenterWorld> {
  const folder = await mkdtemp(path.join(tmpdir(), 'cloudspan-vcenter-'));
  const disk = async (content: DiskContent, controller = 0) => {
    const file = path.join(folder, `${content.seed.replaceAll(' ', '-')}.raw`);
    await writeRaw(file, content);
    return { size: content.capacityBytes, content: { file }, controller };
  };
  const [vm0, vm1] = DISKS.vm;
  const [vapp0, vapp1, vapp2] = DISKS.vapp;
  const [template0] = DISKS.template;
  const nics = [{ network: 'VM Network' }, { network: 'DPG-Web', type: 'e1000e' as const, connected: false }];
  const world: WorldInput = {
    datacenters: [
      {
        name: 'DC1',
        clusters: [
          { name: 'Cluster1', hosts: [{ name: 'esx1.lab' }], pools: ['Production'] },
          { name: 'esx9.lab', cluster: false, hosts: [{ name: 'esx9.lab' }] },
        ],
        datastores: [{ name: 'datastore1' }, { name: 'datastore2', capacity: 40 * 1024 * MIB }],
        networks: ['Management', 'VM Network'],
        switches: [{ name: 'DSwitch', portgroups: [{ name: 'DPG-Web', vlan: 10 }] }],
        vms: [
          {
            name: 'known vm',
            folder: ['Sources'],
            cpus: 2,
            memoryMB: 1024,
            firmware: 'efi',
            notes: 'with two disks',
            controllers: ['pvscsi', 'sata'],
            disks: [await disk(vm0!), await disk(vm1!, 1)],
            nics,
            cdrom: true,
            extraConfig: { 'guestinfo.role': 'front end' },
          },
          {
            name: 'known template',
            folder: ['Sources'],
            template: true,
            controllers: ['lsilogic'],
            disks: [await disk(template0!)],
            nics,
          },
          { name: 'running', power: 'on', disks: [{ size: MIB }], nics },
          { name: 'changing', disks: [{ size: MIB }] },
          ...['first', 'second'].map((name) => ({ name: `victim ${name}`, disks: [{ size: MIB }] })),
          { name: 'holder', folder: ['Imports'] },
          { name: 'other holder', folder: ['Templates'] },
        ],
        vApps: [
          {
            name: 'known vapp',
            folder: ['Sources'],
            notes: 'two tiers',
            vms: [
              { name: 'back', disks: [await disk(vapp0!), await disk(vapp1!)], nics },
              { name: 'front', startDelay: 15, disks: [await disk(vapp2!)], nics },
            ],
          },
        ],
      },
    ],
  };
  const lab = await startVcenter({ data: path.join(folder, 'lab'), world });
  const hands = new VcenterHands(lab);
  const at = (...names: string[]) => hands.find(['DC1', 'vm', ...names]);
  const known = async (name: string, disks: DiskContent[]): Promise<KnownSource> => ({
    id: await at('Sources', name),
    name,
    disks: disks.map((content) => ({ capacityBytes: content.capacityBytes, root: content.root() })),
  });
  let logins = 0;
  const faults = async (rules: FaultSet['rules']) => {
    logins += await hands.loginsSeen();
    // The first rule never acts: it only counts.
    await hands.lab('faults', { rules: [{ method: 'Login', nth: 1_000_000, action: 'delay' }, ...(rules ?? [])] });
  };
  await faults([]);
  const fast = await hands.find(['DC1', 'datastore', 'datastore1']);
  const onStore = (name: string) => path.join(folder, 'lab', 'datastores', fast, name);
  await mkdir(onStore('ISO'), { recursive: true });
  await writeRaw(onStore('ISO/known image.iso'), IMAGE);
  const changing = await at('changing');
  const victims = [await at('victim first'), await at('victim second')];
  const options = { url: lab.url, username: lab.user, password: lab.password };
  let changes = 0;

  return {
    hands,
    driver,
    settings: {
      options,
      trust: { kind: 'pin', sha256: lab.fingerprint },
      label: 'vc1',
      log: quietLog,
      stallSeconds: 8,
    },
    wrongPassword: { ...options, password: 'wrong-password' },
    unreachable: { ...options, url: 'https://127.0.0.1:9' },
    vm: await known('known vm', DISKS.vm),
    vapp: await known('known vapp', DISKS.vapp),
    template: await known('known template', DISKS.template),
    media: {
      id: `[${fast}] ISO/known image.iso`,
      name: 'known image.iso',
      disks: [{ capacityBytes: IMAGE.capacityBytes, root: IMAGE.root() }],
    },
    running: await at('running'),
    machines: await at('Imports'),
    templates: await at('Templates'),
    images: fast,
    network: { id: await hands.find(['DC1', 'network', 'VM Network']), name: 'VM Network' },
    oddName: 'Zürich / 100% \\ [x] 東京 & <b>',
    givesChecksums: true,
    lost: [],
    async logins() {
      return logins + (await hands.loginsSeen());
    },
    async openTransfers() {
      return (await hands.state()).leases.length;
    },
    async change() {
      const notes = `changed ${++changes}`;
      await hands.task('ReconfigVM_Task', 'VirtualMachine', changing, `<spec><annotation>${notes}</annotation></spec>`);
      return { id: changing, seen: (object) => object.machine?.notes === notes };
    },
    async remove() {
      const id = victims.shift();
      if (id === undefined) throw new Error('the world has no victim left');
      await hands.task('Destroy_Task', 'VirtualMachine', id);
      return id;
    },
    expireSessions: () => hands.lab('expire-sessions', {}),
    answerBusy: (seconds) =>
      faults([{ path: '/sdk', action: 'status', status: 503, retryAfterSeconds: seconds, times: 1 }]),
    cutUpload: (afterBytes) => faults([{ path: '/nfc', action: 'cut', afterBytes }]),
    cutMediaUpload: (afterBytes) => faults([{ path: '/folder', action: 'cut', afterBytes }]),
    // What ends in .part the lab writes to itself.
    mediaNames: async () => (await readdir(onStore('ISO'))).filter((name) => !name.endsWith('.part')),
    takeMedia: (id) => utimes(onStore(id.replace(/^\[[^\]]*\] /, '')), new Date(0), new Date(0)),
    cutDownload: (afterBytes) => faults([{ path: '/nfc', action: 'cut', afterBytes }]),
    async stripMarker(id) {
      const option = '<extraConfig><key>cloudspan.marker</key><value xsi:type="xsd:string"></value></extraConfig>';
      await hands.task('ReconfigVM_Task', 'VirtualMachine', id, `<spec>${option}</spec>`);
      await hands.task('Rename_Task', 'VirtualMachine', id, `<newName>${escaped(`mine now ${id}`)}</newName>`);
    },
    async reconfigure(id) {
      await hands.task('ReconfigVM_Task', 'VirtualMachine', id, '<spec><memoryMB>512</memoryMB></spec>');
    },
    async close() {
      hands.close();
      await lab.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeRaw(file: string, content: DiskContent): Promise<void> {
  await using raw = await open(file, 'w');
  await raw.truncate(content.capacityBytes);
  for (const { index, data } of content.blocks()) {
    const at = index * BLOCK_BYTES;
    await raw.write(data, 0, Math.min(data.length, content.capacityBytes - at), at);
  }
}
