import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const name = z.string().min(1).max(128);
const ipRange = z.object({ start: z.ipv4(), end: z.ipv4() });

const content = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('empty') }),
  /** Incompressible bytes that depend on the seed only, in 1 MiB runs spread over the disk. */
  z.object({ kind: z.literal('random'), seed: z.string(), dataBytes: z.number().int().min(0) }),
  /** A raw image on the host; it may be smaller than the disk. */
  z.object({ kind: z.literal('file'), path: z.string() }),
]);

const disk = z.object({
  sizeMb: z.number().int().min(1),
  controller: z.enum(['ide', 'scsi', 'sata', 'nvme']).default('scsi'),
  subtype: z.enum(['lsilogic', 'lsilogicsas', 'buslogic', 'VirtualSCSI']).default('VirtualSCSI'),
  bus: z.number().int().min(0).default(0),
  unit: z.number().int().min(0).optional(),
  content: content.default({ kind: 'empty' }),
});

const nic = z.object({
  /** A network of the VDC, or `none`. */
  network: z.string().default('none'),
  adapter: z.string().default('VMXNET3'),
  mode: z.enum(['POOL', 'DHCP', 'MANUAL', 'NONE']).default('DHCP'),
  ip: z.string().default(''),
  mac: z.string().optional(),
  connected: z.boolean().default(true),
});

const machine = z.object({
  name,
  description: z.string().default(''),
  cpus: z.number().int().min(1).default(1),
  coresPerSocket: z.number().int().min(1).default(1),
  memoryMb: z.number().int().min(4).default(512),
  osType: z.string().default('otherGuest64'),
  firmware: z.enum(['bios', 'efi']).default('bios'),
  hardwareVersion: z.string().default('vmx-19'),
  poweredOn: z.boolean().default(false),
  /** Customized by the cloud at its start. */
  customized: z.boolean().default(false),
  disks: z.array(disk).default([]),
  nics: z.array(nic).default([]),
});

const network = z.object({
  name,
  description: z.string().default(''),
  fence: z.enum(['bridged', 'natRouted', 'isolated']).default('natRouted'),
  gateway: z.ipv4(),
  netmask: z.ipv4().default('255.255.255.0'),
  dns1: z.string().default(''),
  dns2: z.string().default(''),
  dnsSuffix: z.string().default(''),
  ranges: z.array(ipRange).default([]),
  shared: z.boolean().default(false),
});

const vdc = z.object({
  name,
  description: z.string().default(''),
  cpuLimitMhz: z.number().int().min(0).default(0),
  memoryLimitMb: z.number().int().min(0).default(0),
  vmQuota: z.number().int().min(0).default(0),
  /** The first one is the default; `limitMb` 0 = no limit. */
  storageProfiles: z
    .array(z.object({ name, limitMb: z.number().int().min(0).default(0) }))
    .min(1)
    .default([{ name: '*', limitMb: 0 }]),
  networks: z.array(network).default([]),
  vapps: z.array(z.object({ name, description: z.string().default(''), vms: z.array(machine) })).default([]),
});

const org = z.object({
  name,
  fullName: z.string().optional(),
  description: z.string().default(''),
  /** Further users. One without a password gets the main password. */
  users: z
    .array(
      z.object({
        name,
        password: z.string().optional(),
        role: z.string().default('Organization Administrator'),
        /** Names of the role's rights; all of an organization administrator when left out. */
        rights: z.array(z.string()).optional(),
        provider: z.enum(['INTEGRATED', 'SAML', 'OAUTH']).default('INTEGRATED'),
        /** A token that was made in the portal. */
        apiToken: z.object({ token: z.string().min(1), expired: z.boolean().default(false) }).optional(),
      }),
    )
    .default([]),
  vdcs: z.array(vdc).default([]),
  catalogs: z
    .array(
      z.object({
        name,
        description: z.string().default(''),
        /** Templates are stored in the organization's first VDC. */
        templates: z.array(z.object({ name, description: z.string().default(''), vms: z.array(machine) })).default([]),
      }),
    )
    .default([]),
});

/**
 * What the cloud holds at its first start; later starts go on with what the store holds and do not read it. The
 * organization that `--org` names is added with an empty VDC when the world does not have it, and `--user` in it.
 */
export const worldSchema = z.object({
  orgs: z.array(org).min(1),
  /** Versions of the API; the vendor's clients need 36.0 and 37.0 among them. */
  versions: z
    .array(z.string())
    .default([
      '5.5',
      '27.0',
      '29.0',
      '30.0',
      '31.0',
      '32.0',
      '33.0',
      '34.0',
      '35.0',
      '35.2',
      '36.0',
      '36.1',
      '36.2',
      '36.3',
      '37.0',
    ]),
  /** How long every task takes at least. */
  taskMilliseconds: z.number().int().min(0).default(50),
  sessionIdleSeconds: z.number().min(1).default(1800),
  transferIdleSeconds: z.number().min(1).default(3600),
  /** By how much its clock is ahead, or behind where negative. */
  clockOffsetSeconds: z.number().default(0),
});

export type World = z.infer<typeof worldSchema>;
export type WorldMachine = z.infer<typeof machine>;
export type WorldVdc = z.infer<typeof vdc>;
export type WorldOrg = z.infer<typeof org>;

export const defaultWorld: z.input<typeof worldSchema> = {
  orgs: [
    {
      name: 'org1',
      fullName: 'Organization 1',
      vdcs: [
        {
          name: 'vdc1',
          storageProfiles: [
            { name: '*', limitMb: 0 },
            { name: 'gold', limitMb: 1_048_576 },
          ],
          networks: [
            {
              name: 'net1',
              fence: 'natRouted',
              gateway: '10.1.1.1',
              dns1: '10.1.1.1',
              ranges: [{ start: '10.1.1.10', end: '10.1.1.200' }],
            },
            {
              name: 'isolated1',
              fence: 'isolated',
              gateway: '192.168.77.1',
              ranges: [{ start: '192.168.77.10', end: '192.168.77.200' }],
            },
          ],
        },
      ],
      catalogs: [{ name: 'templates' }, { name: 'images' }],
    },
  ],
};

/** The worlds that come with the lab, by name. */
const named: Readonly<Record<string, z.input<typeof worldSchema>>> = {
  default: defaultWorld,
  /** Nothing but an organization with one VDC and one catalog. */
  empty: { orgs: [{ name: 'org1', vdcs: [{ name: 'vdc1' }], catalogs: [{ name: 'templates' }] }] },
};

/** Reads a world by name or from a JSON file; throws with the place of the mistake. */
export async function readWorld(source: string | undefined): Promise<World> {
  const input = source === undefined ? defaultWorld : (named[source] ?? JSON.parse(await readFile(source, 'utf8')));
  return worldSchema.parse(input);
}
