import { type Plan, SIZES, type Way } from './plan.ts';

const MiB = 1024 * 1024;

/** A machine, vApp or template to be copied, with bytes of its own: nothing is there already when a copy begins. */
export interface Source {
  name: string;
  template: boolean;
  diskBytes: number;
  dataBytes: number;
  seed: number;
}

export function sourceName(way: Way, index: number): string {
  return `${way.replace(' ', '-')}-${index}`;
}

/** One source per plan. */
export function worldsFor(plans: readonly Plan[]) {
  return worldsOf((way) =>
    plans.flatMap((plan, index) => {
      const { diskBytes, dataBytes } = SIZES[plan.size];
      const source = { name: sourceName(way, index), template: way === 'template out', seed: 100 + index };
      return plan.way === way ? [{ ...source, diskBytes, dataBytes }] : [];
    }),
  );
}

/** Both labs with the sources of every way in the place where its copies begin. */
export function worldsOf(sources: (way: Way) => Source[]) {
  const vcenterWorld = {
    datacenters: [
      {
        name: 'DC1',
        clusters: [{ name: 'Cluster1', hosts: [{ name: 'esx1.lab' }], pools: [] }],
        datastores: [{ name: 'fast' }],
        networks: ['VM Network'],
        vms: [...sources('out'), ...sources('template out')].map(({ name, template, diskBytes, dataBytes, seed }) => ({
          name,
          folder: ['Sources'],
          template,
          disks: [{ size: diskBytes, content: { seed, dataBytes } }],
          nics: [{ network: 'VM Network' }],
        })),
      },
    ],
  };
  const machine = ({ name, diskBytes, dataBytes, seed }: Source) => ({
    name,
    disks: [{ sizeMb: Math.ceil(diskBytes / MiB), content: { kind: 'random', seed: `${name}-${seed}`, dataBytes } }],
    nics: [{ network: 'net1' }],
  });
  const network = {
    name: 'net1',
    fence: 'natRouted',
    gateway: '10.1.1.1',
    ranges: [{ start: '10.1.1.10', end: '10.1.1.250' }],
  };
  const directorWorld = {
    orgs: [
      {
        name: 'org1',
        vdcs: [
          {
            name: 'vdc1',
            networks: [network],
            vapps: sources('home').map((source) => ({ name: source.name, vms: [machine(source)] })),
          },
        ],
        catalogs: [
          {
            name: 'templates',
            templates: sources('template home').map((source) => ({ name: source.name, vms: [machine(source)] })),
          },
        ],
      },
    ],
  };
  return { vcenterWorld, directorWorld };
}
