import type { InventoryObject } from '../src/model/inventory.ts';

const APPS = [
  'web',
  'db',
  'app',
  'mail',
  'cache',
  'queue',
  'build',
  'ldap',
  'proxy',
  'shop',
  'billing',
  'report',
  'search',
];
const ENVIRONMENTS = ['prod', 'test', 'dev', 'stage', 'dr'];
const GUESTS = [
  'Ubuntu Linux (64-bit)',
  'Red Hat Enterprise Linux 9 (64-bit)',
  'Microsoft Windows Server 2022 (64-bit)',
  'Debian GNU/Linux 12 (64-bit)',
  'SUSE Linux Enterprise 15 (64-bit)',
  'Other (32-bit)',
];
const OWNERS = ['anna', 'bernard', 'chidi', 'dolores', 'emre', 'fatima', 'goran', 'hanna'];
const FOLDERS = 50;
const HOSTS = 16;
const NETWORKS = 40;

export const nameOfCloud = (cloud: number) => `cloud-${String(cloud).padStart(2, '0')}`;

/** A cloud of so many machines: folders, hosts, networks, and names as people give them. The same for the same number. */
export function machinesOf(cloud: number, machines: number): InventoryObject[] {
  let seed = cloud * 7919 + 17;
  const draw = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >>> 8) % below;
  };
  const pick = <T>(of: readonly T[]): T => of[draw(of.length)] as T;
  const plain = (id: string, kind: InventoryObject['kind'], name: string, parent: string | null): InventoryObject => ({
    id,
    kind,
    name,
    parent,
    abilities: [],
  });
  const host = (number: number) => `host-${String(number).padStart(2, '0')}.${nameOfCloud(cloud)}.example.com`;
  const network = (number: number) => `${ENVIRONMENTS[number % 5]}-lan-${100 + number}`;
  const range = (count: number) => Array.from({ length: count }, (_, index) => index);
  return [
    plain('dc', 'datacenter', `datacenter ${cloud}`, null),
    plain('group-vm', 'folder', 'vm', 'dc'),
    ...range(FOLDERS).map((number) => plain(`group-${number}`, 'folder', `team ${number}`, 'group-vm')),
    ...range(HOSTS).map((number) => plain(`host-${number}`, 'host', host(number), 'dc')),
    ...range(NETWORKS).map((number) => plain(`network-${number}`, 'network', network(number), 'dc')),
    ...range(machines).map((number): InventoryObject => {
      const [app, environment] = [pick(APPS), pick(ENVIRONMENTS)];
      const name = `${app}-${environment}-${cloud}${String(number).padStart(4, '0')}`;
      const on = draw(10) < 7;
      const hex = (value: number) => value.toString(16).padStart(2, '0');
      return {
        ...plain(`vm-${number}`, draw(100) === 0 ? 'template' : 'vm', name, `group-${draw(FOLDERS)}`),
        abilities: ['power', 'export'],
        owner: pick(OWNERS),
        tags: [`environment=${environment}`, `cost-center=${4000 + draw(60)}`, pick(['backup', 'no-backup'])],
        machine: {
          power: on ? 'on' : draw(20) === 0 ? 'suspended' : 'off',
          cpus: 2,
          memoryMib: 4096,
          guest: pick(GUESTS),
          hostName: `${name}.corp.example.com`,
          host: host(draw(HOSTS)),
          notes: 'made by the bench',
          diskBytes: 40 * 2 ** 30,
          disks: 2,
          nics: range(1 + draw(2)).map(() => ({
            mac: `00:50:56:${hex(draw(256))}:${hex(draw(256))}:${hex(draw(256))}`,
            network: network(draw(NETWORKS)),
            connected: true,
          })),
          ips: on ? [`10.${cloud}.${draw(250)}.${1 + draw(250)}`] : [],
        },
      };
    }),
  ];
}

/** What somebody types to find this machine, in one of the ways in which people look for one. */
export function searchFor(machine: InventoryObject, way: number): string {
  const { name, machine: facts, owner = '', tags = [] } = machine;
  const [app = '', environment = '', number = ''] = name.split('-');
  const mac = facts?.nics[0]?.mac ?? '';
  const ways = [
    name,
    `${environment} ${number}`,
    facts?.ips[0] ?? number,
    mac.slice(6),
    mac.replaceAll(':', '').toUpperCase(),
    `${app} ${facts?.nics[0]?.network}`,
    `os:windows power:off ${app}`,
    `owner:${owner} tag:${tags[1]} -${environment}`,
    (facts?.host ?? '').split('.')[0] ?? '',
    `${(facts?.guest ?? '').split(' ')[0]} ${environment}`,
    `kind:template ${app}`,
    `network:${facts?.nics[0]?.network} suspended`,
  ];
  return ways[way % ways.length] ?? name;
}
