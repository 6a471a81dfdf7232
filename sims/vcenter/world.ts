import { z } from 'zod';

const name = z.string().min(1).max(80);

/**
 * What is on a disk at first: `empty`; pseudo-random bytes that a seed decides (the same in every world with that seed), `dataBytes`
 * of them from the start of the disk; `random: fresh` bytes that are new whenever the world is built; or the bytes of a raw file.
 */
const diskContent = z.union([
  z.literal('empty'),
  z.strictObject({ seed: z.int(), dataBytes: z.int().min(0) }),
  z.strictObject({ random: z.literal('fresh'), dataBytes: z.int().min(0) }),
  z.strictObject({ file: z.string() }),
]);

const disk = z.strictObject({
  /** Bytes, a multiple of 512. */
  size: z.int().min(512).multipleOf(512),
  content: diskContent.default('empty'),
  /** Position in the machine's `controllers`. */
  controller: z.int().min(0).default(0),
  unit: z.int().min(0).optional(),
  /** How vSphere tells of it. Its bytes are an ordinary disk's all the same. */
  particular: z
    .array(z.enum(['independent', 'nonpersistent', 'rdm-physical', 'rdm-virtual', 'shared', 'linked', 'encrypted']))
    .default([]),
});

const nic = z.strictObject({
  type: z.enum(['vmxnet3', 'e1000', 'e1000e']).default('vmxnet3'),
  /** Name of a network or port group. */
  network: name,
  mac: z.string().optional(),
  connected: z.boolean().default(true),
});

const property = z.strictObject({
  id: name,
  value: z.string().default(''),
  type: z.string().default('string'),
  label: z.string().default(''),
  userConfigurable: z.boolean().default(true),
});

const worldVm = z.strictObject({
  name,
  /** Path of folders below the datacenter's VM folder, made when they are not there. */
  folder: z.array(name).default([]),
  pool: name.optional(),
  datastore: name.optional(),
  cpus: z.int().min(1).default(1),
  coresPerSocket: z.int().min(1).default(1),
  memoryMB: z.int().min(4).multipleOf(4).default(512),
  firmware: z.enum(['bios', 'efi']).default('bios'),
  guestId: z.string().default('otherLinux64Guest'),
  hardware: z.string().default('vmx-19'),
  controllers: z.array(z.enum(['pvscsi', 'lsilogic', 'lsilogicsas', 'sata', 'nvme', 'ide'])).default(['pvscsi']),
  disks: z.array(disk).default([]),
  nics: z.array(nic).default([]),
  cdrom: z.boolean().default(false),
  notes: z.string().default(''),
  power: z.enum(['on', 'off', 'suspended']).default('off'),
  template: z.boolean().default(false),
  properties: z.array(property).default([]),
  extraConfig: z.record(z.string(), z.string()).default({}),
  /** Devices bound to the host, and what else is particular about it. */
  particular: z
    .array(z.enum(['usb', 'pci', 'serial', 'tpm', 'iso', 'floppy', 'encrypted', 'change-tracking', 'no-tools']))
    .default([]),
});

const vApp = z.strictObject({
  name,
  folder: z.array(name).default([]),
  pool: name.optional(),
  notes: z.string().default(''),
  /** In the order they start unless `order` says otherwise; `folder`, `pool` and `template` are not used. */
  vms: z.array(worldVm.extend({ order: z.int().min(0).optional(), startDelay: z.int().min(0).default(0) })).min(1),
});

const compute = z.strictObject({
  name,
  cluster: z.boolean().default(true),
  hosts: z
    .array(z.strictObject({ name, cores: z.int().min(1).default(16), memoryMB: z.int().min(1024).default(131072) }))
    .min(1),
  /** Resource pools below the root pool, which every cluster has under the name `Resources`. */
  pools: z.array(name).default([]),
});

const datacenter = z.strictObject({
  name,
  clusters: z.array(compute).min(1),
  datastores: z.array(z.strictObject({ name, capacity: z.int().min(1).default(1099511627776) })).min(1),
  networks: z.array(name).default([]),
  /** Distributed switches with their port groups. */
  switches: z
    .array(
      z.strictObject({
        name,
        portgroups: z.array(z.strictObject({ name, vlan: z.int().min(0).max(4094).default(0) })),
      }),
    )
    .default([]),
  vms: z.array(worldVm).default([]),
  vApps: z.array(vApp).default([]),
});

/** An account beside the lab's own, which may do everything. */
const account = z.strictObject({
  user: z.string().min(1),
  password: z.string().min(1),
  /** The privileges of its role (`VApp.Export`); none at all: the login is refused with `NoPermission`. */
  privileges: z.array(z.string()).default([]),
  /** Name of the datacenter, folder, pool … that the role is given on; everything when left out. */
  on: name.optional(),
  /** Its password has run out. */
  expired: z.boolean().default(false),
});
export type WorldAccount = z.infer<typeof account>;

/** The inventory a lab begins with. It is built at the first start only; from then on the data folder is what counts. */
export const world = z.strictObject({
  datacenters: z.array(datacenter).min(1),
  accounts: z.array(account).default([]),
  options: z
    .strictObject({
      leaseTimeoutSeconds: z.number().min(0.05).optional(),
      starHost: z.boolean().optional(),
      sessionIdleSeconds: z.number().min(0.05).optional(),
      taskMilliseconds: z.int().min(0).optional(),
      clockOffsetSeconds: z.number().optional(),
    })
    .default({}),
});

export type World = z.infer<typeof world>;
export type WorldInput = z.input<typeof world>;
export type WorldVm = z.infer<typeof worldVm>;

const MiB = 2 ** 20;

const base = {
  clusters: [{ name: 'Cluster1', hosts: [{ name: 'esx1.lab' }, { name: 'esx2.lab' }], pools: ['Production', 'Test'] }],
  datastores: [{ name: 'datastore1' }, { name: 'datastore2' }],
  networks: ['VM Network', 'Management'],
  switches: [
    {
      name: 'DSwitch',
      portgroups: [
        { name: 'DPG-Web', vlan: 10 },
        { name: 'DPG-DB', vlan: 20 },
      ],
    },
  ],
};

/** Worlds that `--world` knows by name. */
export const WORLDS: Record<string, WorldInput> = {
  empty: { datacenters: [{ name: 'DC1', ...base }] },
  default: {
    datacenters: [
      {
        name: 'DC1',
        ...base,
        vms: [
          {
            name: 'web-01',
            folder: ['Web'],
            cpus: 2,
            memoryMB: 1024,
            guestId: 'ubuntu64Guest',
            notes: 'Front end',
            disks: [
              { size: 64 * MiB, content: { seed: 1, dataBytes: 8 * MiB } },
              { size: 32 * MiB + 512, content: { seed: 2, dataBytes: 3 * MiB } },
            ],
            nics: [{ network: 'VM Network' }, { network: 'DPG-Web', type: 'e1000e' }],
          },
          {
            name: 'db-01',
            folder: ['Databases'],
            pool: 'Production',
            cpus: 4,
            coresPerSocket: 2,
            memoryMB: 4096,
            firmware: 'efi',
            controllers: ['nvme', 'sata'],
            disks: [
              { size: 48 * MiB, content: { seed: 3, dataBytes: 4 * MiB } },
              { size: 16 * MiB, controller: 1 },
            ],
            nics: [{ network: 'DPG-DB' }],
            cdrom: true,
          },
          {
            name: 'running-01',
            power: 'on',
            disks: [{ size: 16 * MiB, content: { seed: 4, dataBytes: MiB } }],
            nics: [{ network: 'VM Network' }],
          },
          {
            name: 'ubuntu-template',
            folder: ['Templates'],
            template: true,
            guestId: 'ubuntu64Guest',
            controllers: ['lsilogic'],
            disks: [{ size: 32 * MiB, content: { seed: 5, dataBytes: 2 * MiB } }],
            nics: [{ network: 'VM Network', type: 'e1000' }],
          },
        ],
        vApps: [
          {
            name: 'shop',
            notes: 'Two tiers',
            vms: [
              {
                name: 'shop-db',
                disks: [{ size: 24 * MiB, content: { seed: 6, dataBytes: 2 * MiB } }],
                nics: [{ network: 'VM Network' }],
              },
              {
                name: 'shop-web',
                startDelay: 10,
                disks: [{ size: 16 * MiB + 1024, content: { seed: 7, dataBytes: MiB } }, { size: 8 * MiB }],
                nics: [{ network: 'VM Network' }],
              },
            ],
          },
        ],
      },
    ],
  },
};
