const MiB = 1024 * 1024;

const site = {
  clusters: [{ name: 'Cluster1', hosts: [{ name: 'esx1.lab' }], pools: ['Production'] }],
  datastores: [{ name: 'fast' }, { name: 'slow' }],
  networks: ['VM Network', 'Backup'],
};

/** Odd sizes on purpose: clouds round, maps must not. */
export const vcenterWorld = {
  datacenters: [
    {
      name: 'DC1',
      ...site,
      vms: [
        {
          name: 'web-01',
          folder: ['Web'],
          cpus: 4,
          coresPerSocket: 2,
          memoryMB: 1024,
          guestId: 'debian12_64Guest',
          notes: 'front end, with <markup> & "quotes"',
          disks: [
            { size: 24 * MiB, content: { seed: 1, dataBytes: 9 * MiB } },
            { size: 17 * MiB + 512, content: { seed: 2, dataBytes: 3 * MiB + 700 } },
          ],
          nics: [{ network: 'VM Network', type: 'e1000e' }, { network: 'Backup' }],
        },
        {
          name: 'a/b %41 & ü 日本',
          folder: ['Odd names / 100%'],
          disks: [{ size: 3 * MiB, content: { seed: 3, dataBytes: MiB } }],
          nics: [],
        },
        {
          name: 'running',
          power: 'on',
          disks: [{ size: 4 * MiB, content: { seed: 4, dataBytes: MiB } }],
          nics: [{ network: 'VM Network' }],
        },
        {
          name: 'golden',
          folder: ['Templates'],
          template: true,
          firmware: 'efi',
          controllers: ['lsilogic'],
          disks: [{ size: 8 * MiB, content: { seed: 5, dataBytes: 2 * MiB } }],
          nics: [{ network: 'VM Network' }],
        },
      ],
      vApps: [
        {
          name: 'shop',
          notes: 'two tiers',
          vms: [
            {
              name: 'shop-db',
              disks: [{ size: 6 * MiB, content: { seed: 6, dataBytes: 2 * MiB } }],
              nics: [{ network: 'VM Network' }],
            },
            {
              name: 'shop-web',
              startDelay: 15,
              disks: [{ size: 5 * MiB + 1536, content: { seed: 7, dataBytes: MiB } }, { size: 2 * MiB }],
              nics: [{ network: 'VM Network' }],
            },
          ],
        },
      ],
    },
  ],
};

export const directorWorld = {
  orgs: [
    {
      name: 'org1',
      vdcs: [
        {
          name: 'vdc1',
          storageProfiles: [
            { name: '*', limitMb: 0 },
            { name: 'gold', limitMb: 100_000 },
          ],
          networks: [
            {
              name: 'net1',
              fence: 'natRouted',
              gateway: '10.1.1.1',
              ranges: [{ start: '10.1.1.10', end: '10.1.1.50' }],
            },
            {
              name: 'isolated1',
              fence: 'isolated',
              gateway: '10.2.1.1',
              ranges: [{ start: '10.2.1.10', end: '10.2.1.50' }],
            },
            // A vApp has this name, too.
            {
              name: 'twin',
              fence: 'isolated',
              gateway: '10.3.1.1',
              ranges: [{ start: '10.3.1.10', end: '10.3.1.50' }],
            },
          ],
          vapps: [
            {
              name: 'twin',
              vms: [{ name: 'twin', disks: [{ sizeMb: 1, content: { kind: 'empty' } }], nics: [] }],
            },
            {
              name: 'crm',
              description: 'customers',
              vms: [
                {
                  name: 'crm-app',
                  cpus: 2,
                  memoryMb: 768,
                  disks: [{ sizeMb: 12, content: { kind: 'random', seed: 'crm', dataBytes: 5 * MiB } }],
                  nics: [{ network: 'net1' }],
                },
              ],
            },
          ],
        },
      ],
      catalogs: [
        {
          name: 'templates',
          templates: [
            {
              name: 'alpine',
              vms: [
                {
                  name: 'alpine',
                  disks: [{ sizeMb: 9, content: { kind: 'random', seed: 'alpine', dataBytes: 2 * MiB } }],
                  nics: [],
                },
              ],
            },
          ],
        },
        { name: 'spare' },
      ],
    },
  ],
};
