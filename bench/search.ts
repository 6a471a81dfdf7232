/** Search over 100,000 machines in 20 clouds, asked of a whole server over HTTPS at every key that is pressed. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { Agent, request } from 'undici';
import { createIdentity } from '../src/base/identity.ts';
import { createLog } from '../src/base/log.ts';
import type { InventoryObject } from '../src/model/inventory.ts';
import { createClient } from '../src/protocol/client.ts';
import { type Database, openDatabase } from '../src/server/store/database.ts';
import { applyInventory } from '../src/server/store/objects.ts';
import { openIndexes } from '../src/server/store/search.ts';
import { loadOwner } from '../src/server/store/settings.ts';
import { startServerOn } from '../test/journeys/server-installation.ts';
import { machinesOf, nameOfCloud, searchFor } from './many-machines.ts';
import type { Row } from './measure.ts';
import { fillPlainly, PLAIN_TABLES, plainQuestion, writePlainly } from './plain-search.ts';

const CLOUDS = 20;
const MACHINES = 5_000;
const CHANGED = 5_000;
const SEARCHES = 96;
/** The peer is slow: it answers every so many questions only. */
const PEER_EVERY = 20;
const AIM_MILLISECONDS = 50;
const PAGE = 50;

export async function benchSearch(folder: string): Promise<Row[]> {
  const home = join(folder, 'server');
  await mkdir(home, { mode: 0o700 });
  const database = await openDatabase(home, undefined, createLog('bench', 'silent'));
  const written = await fill(database).finally(() => database.close());
  await using server = await startServerOn(home);
  const { url, password } = server;
  const agent = new Agent({ connect: { rejectUnauthorized: false }, pipelining: 1 });
  const plain = new pg.Client({
    host: join(home, 'postgres'),
    user: 'cloudspan',
    database: 'postgres',
    password: (await readFile(join(home, 'postgres.password'), 'utf8')).trim(),
  });
  await plain.connect();
  try {
    const bearer = (token: string) =>
      createClient(async ({ method, path, body }) => {
        const headers = {
          'content-type': 'application/json',
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        };
        const answer = await request(`${url}${path}`, { method, dispatcher: agent, headers, body: body ?? null });
        return { status: answer.statusCode, text: await answer.body.text() };
      });
    const signIn = async (user: string, word: string) =>
      bearer((await bearer('').login({ body: { user, password: word } })).token);
    const admin = await signIn('admin', password);
    const words = 'a password of the bench';
    await admin.createAccount({ body: { name: 'somebody', role: 'operator', password: words } });
    for (const at of [
      nameOfCloud(3),
      `${nameOfCloud(7)}/datacenter 7/vm/team 3`,
      `${nameOfCloud(9)}/datacenter 9/vm/team 5`,
    ]) {
      await admin.addGrant({ body: { account: 'somebody', at, effect: 'allow', rights: ['see'] } });
    }
    const somebody = await signIn('somebody', words);

    const keys = typed();
    const ours = await timesOf(keys, (q) => admin.search({ query: { q, limit: PAGE } }));
    const granted = await timesOf(keys, (q) => somebody.search({ query: { q, limit: PAGE } }));
    const some = keys.filter((_, index) => index % PEER_EVERY === 0);
    const theirs = await timesOf(some, (q) => plain.query(plainQuestion(q, PAGE)));
    const pages = await furtherPages(keys, admin);
    const peerName = 'ILIKE over all columns';
    const row = (name: string, times: number[], part: number): Row =>
      timeRow(name, quantile(times, part), quantile(theirs, part), peerName);
    const slowest = quantile([...ours, ...granted], 0.95);
    return [
      row(`every key of ${SEARCHES} searches, p95`, ours, 0.95),
      row('every key, median', ours, 0.5),
      row('every key, slowest', ours, 1),
      row('every key, an account with grants, p95', granted, 0.95),
      row('the page behind, p95', pages, 0.95),
      { ...timeRow('p95 of all keys', slowest, AIM_MILLISECONDS, 'the aim'), aim: 1 },
      ...written,
    ];
  } finally {
    await plain.end();
    await agent.close();
  }
}

async function fill(database: Database): Promise<Row[]> {
  const owner = await loadOwner(database);
  await openIndexes(database, createLog('bench', 'silent'));
  await database.query(PLAIN_TABLES);
  const { certificate, pin } = await createIdentity('node');
  await database.query(
    `INSERT INTO nodes (id, owner, name, pin, certificate, link, public) VALUES ('node', $1, 'node', $2, $3, 'dial-home', false)`,
    [owner, pin, certificate],
  );
  const clouds = Array.from({ length: CLOUDS }, (_, index) => index + 1);
  const sums = { ours: 0, plain: 0, again: 0 };
  for (const cloud of clouds) {
    const id = nameOfCloud(cloud);
    await database.query(
      `INSERT INTO clouds (id, owner, name, driver, node, options, trust) VALUES ($1, $2, $1, 'toy', 'node', '{}', '{}')`,
      [id, owner],
    );
    const objects = machinesOf(cloud, MACHINES);
    sums.plain += await timed(() => writePlainly(database, owner, id, objects));
    sums.ours += await timed(() => applyInventory(database, owner, id, { type: 'snapshot', objects }));
    await fillPlainly(database, id, objects);
  }
  for (const cloud of clouds.slice(0, 4)) {
    const objects = machinesOf(cloud, MACHINES);
    sums.again += await timed(() => applyInventory(database, owner, nameOfCloud(cloud), { type: 'snapshot', objects }));
  }
  const changed = machinesOf(5, MACHINES)
    .filter(({ machine }) => machine !== undefined)
    .slice(0, CHANGED)
    .map((object) => moved(object));
  const id = nameOfCloud(5);
  const plainly = await timed(() => writePlainly(database, owner, id, changed));
  const change = await timed(() => applyInventory(database, owner, id, { type: 'put', objects: changed }));
  const peerName = 'the same without search';
  const second = (name: string, ours: number, peer: number) => ({
    ...timeRow(name, ours / 1000, peer / 1000, peerName),
    unit: 's',
  });
  return [
    second(`first snapshots of ${CLOUDS * MACHINES} machines`, sums.ours, sums.plain),
    second('the same snapshots again', (sums.again * CLOUDS) / 4, sums.plain),
    second(`write of ${CHANGED} machines with another power, address and host`, change, plainly),
  ];
}

function moved(object: InventoryObject): InventoryObject {
  const { machine } = object;
  if (machine === undefined) return object;
  const ips = machine.ips.map((ip) => ip.replace(/\d+$/, '251'));
  return {
    ...object,
    machine: { ...machine, ips, power: machine.power === 'on' ? 'off' : 'on', host: 'host-99.example.com' },
  };
}

/** What is in the box after each key of every search, in a random but equal order of machines. */
function typed(): string[] {
  return Array.from({ length: SEARCHES }, (_, index) => {
    const machines = machinesOf(1 + ((index * 7) % CLOUDS), MACHINES).filter(({ machine }) => machine !== undefined);
    const machine = machines[(index * 7919) % machines.length];
    const text = machine === undefined ? '' : searchFor(machine, index);
    return Array.from(text, (_, length) => text.slice(0, length + 1)).filter((part) => part.trim() !== '');
  }).flat();
}

async function timesOf(keys: readonly string[], ask: (q: string) => Promise<unknown>): Promise<number[]> {
  for (const q of keys.slice(0, 20)) await ask(q);
  const times: number[] = [];
  for (const q of keys) {
    const time = await timed(() => ask(q));
    times.push(time);
  }
  return times;
}

async function furtherPages(keys: readonly string[], admin: ReturnType<typeof createClient>): Promise<number[]> {
  const times: number[] = [];
  for (const q of keys.filter((_, index) => index % 5 === 0)) {
    const { next } = await admin.search({ query: { q, limit: PAGE } });
    if (next !== undefined) times.push(await timed(() => admin.search({ query: { q, limit: PAGE, cursor: next } })));
  }
  return times;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? 0;
}

function timeRow(name: string, ours: number, peer: number, peerName: string): Row {
  return { case: name, unit: 'ms', ours, peer, peerName, ratio: peer / ours, aim: null };
}
