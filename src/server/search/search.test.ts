import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../base/log.ts';
import type { InventoryObject } from '../../model/inventory.ts';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { Signed } from '../auth.ts';
import { createSights, type Sight } from '../people/sight.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { applyInventory } from '../store/objects.ts';
import { completeRows } from '../store/search-rows.ts';
import { openSearch, type Search } from './search.ts';

/** More than are ranked at once, so that both ways of looking are taken. */
const MACHINES = 7_000;
const CLOUDS = ['Paris', 'Oslo'];
const log = createLog('test', 'silent');
const admin: Signed = {
  account: 'root',
  user: 'admin',
  role: 'administrator',
  scope: 'own',
  clouds: null,
  tenant: null,
  via: 'session',
};
const anna: Signed = { ...admin, account: 'anna', user: 'anna', role: 'operator' };

let folder: string;
let database: Database;
let search: Search;
let sight: Sight;
let annas: Sight;
const world = new Map<string, InventoryObject[]>();

const plain = (id: string, kind: InventoryObject['kind'], name: string, parent: string | null): InventoryObject => ({
  ...{ id, kind, name, parent, abilities: [] },
});

function vm(number: number): InventoryObject {
  const app = ['web', 'db', 'mail'][number % 3] ?? '';
  const long = `${number % 10 === 9 ? 'old-' : ''}${app}-${number % 4 < 2 ? 'prod' : 'test'}-${number}`;
  const name = number % 100 === 7 ? app : long;
  const hex = number.toString(16).padStart(4, '0');
  return {
    ...plain(`vm-${number}`, number % 50 === 3 ? 'template' : 'vm', name, `folder-${number % 5}`),
    owner: ['Zoë', 'Yann'][number % 2] ?? '',
    tags: [`tier=${number % 7}`, ...(number % 11 === 0 ? ['Web farm'] : [])],
    machine: {
      ...{
        power: number % 4 === 0 ? 'off' : 'on',
        cpus: 1,
        memoryMib: 1,
        notes: 'web db mail',
        diskBytes: 0,
        disks: 0,
      },
      guest: number % 3 === 1 ? 'Ubuntu Linux (64-bit)' : 'Windows Server 2022',
      host: `esx-${number % 9}.lab`,
      nics: [{ mac: `00:50:56:aa:${hex.slice(0, 2)}:${hex.slice(2)}`, network: `LAN ${number % 13}`, connected: true }],
      ips: [`10.0.${number >> 8}.${number & 255}`],
    },
  };
}

function cloudOf(index: number): InventoryObject[] {
  const machines = Array.from({ length: MACHINES / 2 }, (_, number) => vm(number * 2 + index));
  return [
    plain('dc', 'datacenter', 'DC', null),
    ...[0, 1, 2, 3, 4].map((number) =>
      plain(`folder-${number}`, 'folder', `team ${number}`, number < 4 ? 'dc' : 'folder-3'),
    ),
    plain('net', 'network', 'web network', 'dc'),
    ...machines,
  ];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-search-'));
  database = await openDatabase(folder, undefined, log);
  await database.query(
    `INSERT INTO nodes (id, owner, name, pin, certificate, link, public) VALUES ('n', 'o', 'n', 'p', '', 'direct', false)`,
  );
  await database.query(`INSERT INTO accounts (id, name, role) VALUES ('anna', 'anna', 'operator')`);
  const clouds = { list: () => CLOUDS.map((name) => ({ id: name, name, options: {} }) as unknown as CloudView) };
  search = await openSearch(database, clouds, log);
  for (const [index, id] of CLOUDS.entries()) {
    await database.query(
      `INSERT INTO clouds (id, owner, name, driver, node, options, trust) VALUES ($1, 'o', $1, 't', 'n', '{}', '{}')`,
      [id],
    );
    world.set(id, cloudOf(index));
    await applyInventory(database, 'o', id, { type: 'snapshot', objects: world.get(id) ?? [] });
  }
  await database.query(
    `INSERT INTO grants (account, cloud, object, effect, rights, created_by) VALUES
     ('anna', 'Paris', 'folder-3', 'allow', '{see}', ''), (null, 'Paris', 'folder-4', 'forbid', '{see}', ''),
     ('anna', 'Oslo', 'vm-1', 'allow', '{operate}', '')`,
  );
  const sights = createSights(database, clouds as never, { list: () => [] } as never);
  sight = await sights.of(admin);
  annas = await sights.of(anna);
}, 60_000);

afterAll(async () => {
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Everything that is found, page after page. */
async function all(q: string, by = sight, limit = 150): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const { hits, next } = await search.find(by, { q, limit, cursor });
    found.push(...hits.map(({ cloud, id }) => `${cloud}/${id}`));
    if (next === undefined) return found;
    cursor = next;
  }
}

/** The same by walking through every object: `fits` says which, `words` are those that count in names. */
function walk(fits: (object: InventoryObject, cloud: string) => boolean, words: string[] = [], by = sight): string[] {
  const rank = (name: string) => {
    if (words.length === 0) return 0;
    if (name === words.join(' ')) return 0;
    if (name.startsWith(words[0] ?? '')) return 1;
    return words.every((word) => name.includes(word)) ? 2 : 3;
  };
  const found = [...world].flatMap(([cloud, objects]) => {
    const byId = new Map(objects.map((object) => [object.id, object]));
    const path = (object: InventoryObject): string[] => {
      const parent = byId.get(object.parent ?? '');
      return [...(parent === undefined ? [] : path(parent)), object.id];
    };
    return objects
      .filter((object) => by.rights.may('see', cloud, path(object)) && fits(object, cloud))
      .map(({ id, name }) => ({ key: `${cloud}/${id}`, name: name.toLowerCase(), cloud, id }));
  });
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return found
    .sort(
      (a, b) => rank(a.name) - rank(b.name) || order(a.name, b.name) || order(a.cloud, b.cloud) || order(a.id, b.id),
    )
    .map(({ key }) => key);
}

/** Whether any value of the object holds the word. */
function holds({ name, owner = '', tags = [], machine, kind }: InventoryObject, word: string): boolean {
  const power = machine !== undefined && kind === 'vm' ? [`powered ${machine.power}`] : [];
  const nics = machine?.nics.flatMap(({ mac = '', network = '' }) => [mac, mac.replaceAll(':', ''), network]) ?? [];
  const own = machine === undefined ? [] : [machine.guest, machine.host ?? '', ...machine.ips];
  const values = [name, owner.replace('ë', 'e'), ...tags, ...power, ...nics, ...own];
  return values.some((value) => value.toLowerCase().includes(word));
}

const cases: { q: string; fits: (object: InventoryObject, cloud: string) => boolean; words?: string[] }[] = [
  { q: 'web', fits: (object) => holds(object, 'web'), words: ['web'] },
  { q: 'WEB Prod', fits: (object) => holds(object, 'web') && holds(object, 'prod'), words: ['web', 'prod'] },
  { q: '10.0.3.1', fits: (object) => holds(object, '10.0.3.1'), words: ['10.0.3.1'] },
  { q: '0050.56aa.012', fits: (object) => holds(object, '005056aa012'), words: ['0050.56aa.012'] },
  { q: '56-AA-01', fits: (object) => holds(object, '56aa01'), words: ['56-aa-01'] },
  { q: 'ubuntu', fits: (object) => holds(object, 'ubuntu'), words: ['ubuntu'] },
  { q: 'name:web', fits: ({ name }) => name.includes('web'), words: ['web'] },
  {
    q: 'os:windows -mail power:off',
    fits: (object) =>
      holds(object, 'windows') && !holds(object, 'mail') && object.machine?.power === 'off' && object.kind === 'vm',
  },
  { q: '"web farm"', fits: ({ tags = [] }) => tags.includes('Web farm'), words: ['web farm'] },
  { q: 'tag:web', fits: ({ tags = [] }) => tags.includes('Web farm') },
  {
    q: 'owner:zoe network:"lan 12"',
    fits: ({ owner, machine }) => owner === 'Zoë' && machine?.nics[0]?.network === 'LAN 12',
  },
  { q: 'cloud:osl kind:template', fits: ({ kind }, cloud) => cloud === 'Oslo' && kind === 'template' },
  { q: 'kind:network', fits: ({ kind }) => kind === 'network' },
  { q: 'host:esx-3', fits: ({ machine }) => machine?.host === 'esx-3.lab' },
  { q: 'mac:00:50:56:AA:00:0', fits: ({ machine }) => machine?.nics[0]?.mac?.startsWith('00:50:56:aa:00:0') === true },
  { q: 'prod', fits: (object) => holds(object, 'prod'), words: ['prod'] },
  { q: '00:50:56', fits: (object) => holds(object, '005056'), words: ['00:50:56'] },
  { q: 'esx', fits: (object) => holds(object, 'esx'), words: ['esx'] },
  { q: 'no such thing', fits: () => false, words: ['no', 'such', 'thing'] },
  { q: '100%', fits: () => false, words: ['100%'] },
];

test.each(cases)(
  '$q finds what a walk through everything finds, in the same order, over all pages',
  async ({ q, fits, words }) => {
    expect(await all(q)).toEqual(walk(fits, words));
  },
);

test.each(cases)('$q shows an account only what it may see', async ({ q, fits, words }) => {
  expect(await all(q, annas)).toEqual(walk(fits, words, annas));
});

test('one or two letters are looked for where words begin', async () => {
  const starts = (object: InventoryObject, word: string) =>
    [object.name, ...(object.tags ?? []), object.machine?.guest ?? '', object.machine?.host ?? ''].some((value) =>
      value
        .toLowerCase()
        .split(/[^a-z0-9]+/)
        .some((part) => part.startsWith(word)),
    );
  expect(await all('ub', sight, 500)).toEqual(walk((object) => starts(object, 'ub'), ['ub']));
  const [first] = (await search.find(sight, { q: 'w', limit: 1 })).hits.map(({ cloud, id }) => `${cloud}/${id}`);
  expect(first).toBe(walk((object) => object.name.startsWith('w'), ['w'])[0]);
  expect(await all('name:ld')).toEqual([]);
});

test('a folder that moves takes what it holds along, for whoever may see it', async () => {
  const folders = world.get('Paris') ?? [];
  const moved = folders.map((object) => (object.id === 'folder-1' ? { ...object, parent: 'folder-3' } : object));
  const before = await all('kind:vm', annas);
  expect(before).toEqual(walk(({ kind }) => kind === 'vm', [], annas));
  world.set('Paris', moved);
  await applyInventory(database, 'o', 'Paris', { type: 'put', objects: moved.filter(({ id }) => id === 'folder-1') });
  const after = await all('kind:vm', annas);
  expect(after.length).toBeGreaterThan(before.length);
  expect(after).toEqual(walk(({ kind }) => kind === 'vm', [], annas));
  // What is left behind by a folder that goes belongs to nobody's folder any more.
  world.set(
    'Paris',
    moved.filter(({ id }) => id !== 'folder-3'),
  );
  await applyInventory(database, 'o', 'Paris', { type: 'gone', ids: ['folder-3'] });
  expect(await all('kind:vm', annas)).toEqual(['Oslo/vm-1']);
});

test('a snapshot takes away what is not in it, and rows that are lost are made again', async () => {
  const objects = (world.get('Oslo') ?? []).filter(({ id }) => id !== 'vm-1');
  world.set('Oslo', objects);
  await applyInventory(database, 'o', 'Oslo', { type: 'snapshot', objects });
  expect(await all('kind:vm', annas)).toEqual([]);
  const expected = walk((object) => holds(object, 'ubuntu'), ['ubuntu']);
  expect(await all('ubuntu')).toEqual(expected);
  await database.query('DELETE FROM search');
  expect(await all('ubuntu')).toEqual([]);
  await completeRows(database);
  expect(await all('ubuntu')).toEqual(expected);
});

test('the cursor of another list is refused', async () => {
  const cursor = Buffer.from(JSON.stringify(['search', '{"rank":"x"}'])).toString('base64url');
  await expect(search.find(sight, { q: 'web', limit: 1, cursor })).rejects.toMatchObject({ code: 'input.invalid' });
});
