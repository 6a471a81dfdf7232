const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

/** A small vCenter: one machine with two disks to be copied (content new at every run), and some company. */
export const vcenterWorld = {
  datacenters: [
    {
      name: 'Berlin',
      clusters: [
        {
          name: 'Cluster-A',
          hosts: [{ name: 'esx1.berlin.lab' }, { name: 'esx2.berlin.lab' }],
          pools: ['Production', 'Test'],
        },
      ],
      datastores: [{ name: 'vsan-01' }, { name: 'nfs-archive' }],
      networks: ['VM Network'],
      switches: [
        {
          name: 'DSwitch',
          portgroups: [
            { name: 'Web', vlan: 10 },
            { name: 'Database', vlan: 20 },
          ],
        },
      ],
      vms: [
        {
          name: 'web-01',
          folder: ['Production'],
          cpus: 2,
          coresPerSocket: 2,
          memoryMB: 2048,
          guestId: 'debian12_64Guest',
          notes: 'Shop front end. Two disks: system and data.',
          disks: [
            { size: 768 * MiB, content: { random: 'fresh', dataBytes: 96 * MiB } },
            { size: 1280 * MiB, content: { random: 'fresh', dataBytes: 128 * MiB } },
          ],
          nics: [{ network: 'Web' }, { network: 'Database' }],
        },
        {
          name: 'db-01',
          folder: ['Production'],
          cpus: 4,
          memoryMB: 8192,
          firmware: 'efi',
          guestId: 'rhel9_64Guest',
          power: 'on',
          disks: [{ size: 20 * GiB, content: { seed: 11, dataBytes: 24 * MiB } }],
          nics: [{ network: 'Database' }],
        },
        {
          name: 'intranet (old)',
          folder: ['Archive'],
          guestId: 'windows2019srv_64Guest',
          memoryMB: 4096,
          disks: [{ size: 40 * GiB }],
          nics: [{ network: 'VM Network', type: 'e1000e' }],
        },
        {
          name: 'debian-12',
          folder: ['Templates'],
          template: true,
          guestId: 'debian12_64Guest',
          disks: [{ size: 4 * GiB, content: { seed: 12, dataBytes: 48 * MiB } }],
          nics: [{ network: 'VM Network' }],
        },
      ],
      vApps: [
        {
          name: 'shop',
          notes: 'Database first, then the front end.',
          vms: [
            {
              name: 'shop-db',
              guestId: 'debian12_64Guest',
              disks: [{ size: GiB, content: { seed: 13, dataBytes: 16 * MiB } }],
              nics: [{ network: 'Database' }],
            },
            {
              name: 'shop-web',
              guestId: 'debian12_64Guest',
              startDelay: 10,
              disks: [{ size: GiB, content: { seed: 14, dataBytes: 16 * MiB } }],
              nics: [{ network: 'Web' }],
            },
          ],
        },
      ],
    },
  ],
};

/** A Cloud Director organization that waits for machines. */
export const directorWorld = {
  orgs: [
    {
      name: 'org1',
      fullName: 'Example Organization',
      vdcs: [
        {
          name: 'vdc-frankfurt',
          storageProfiles: [
            { name: 'standard', limitMb: 0 },
            { name: 'gold', limitMb: 1_048_576 },
          ],
          networks: [
            {
              name: 'net-web',
              fence: 'natRouted',
              gateway: '10.1.1.1',
              ranges: [{ start: '10.1.1.10', end: '10.1.1.99' }],
            },
            {
              name: 'net-db',
              fence: 'isolated',
              gateway: '10.1.2.1',
              ranges: [{ start: '10.1.2.10', end: '10.1.2.99' }],
            },
          ],
        },
      ],
      catalogs: [{ name: 'templates' }],
    },
  ],
};
