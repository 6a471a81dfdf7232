import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createIdentity } from '../../base/identity.ts';
import { createLog } from '../../base/log.ts';
import type { CertificateSeen } from '../../model/option.ts';
import type { CloudView } from '../../protocol/api/clouds.ts';
import { writeCloudCertificate } from '../store/cloud-certificates.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { lookAtExpiry } from './expiry.ts';

const DAY = 24 * 3_600_000;
const SHA256 = 'ab'.repeat(32);
let folder: string;
let database: Database;
/** Ends 800 days from now. */
let pem: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-expiry-'));
  // As root, the database runs under another account, which has to walk through.
  await chmod(folder, 0o711);
  database = await openDatabase(folder, undefined, createLog('test', 'silent'));
  pem = (await createIdentity('some', ['localhost'])).certificate;
  const { query } = database;
  await query(
    `INSERT INTO nodes (id, owner, name, pin, certificate, link, public) VALUES ('n', 'o', 'n', 'p', 'c', 'direct', false)`,
  );
  await query(
    `INSERT INTO clouds (id, owner, name, driver, node, options, trust) VALUES ('c', 'o', 'c', 'd', 'n', '{}', '{}')`,
  );
  await query(`INSERT INTO accounts (id, name, role) VALUES ('a', 'ann', 'viewer')`);
}, 60_000);
afterEach(() => void vi.useRealTimers());
afterAll(async () => {
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

const cloud = (trust: CloudView['trust']) => ({ list: () => [{ id: 'c', name: 'east', trust }] }) as never;
const look = (clouds: never, at = Date.now(), days = 30) => {
  vi.useFakeTimers({ toFake: ['Date'], now: at });
  return lookAtExpiry({ database, clouds, certificate: () => pem }, days);
};
const none = { list: () => [] } as never;
const end = (days: number) => new Date(Date.now() + days * DAY);

test('a certificate is quiet until 30 days before its end, then a warning, then critical', async () => {
  expect(await look(none, Date.now() + 769 * DAY)).toEqual([]);
  vi.useRealTimers();
  expect(await look(none, Date.now() + 771 * DAY)).toMatchObject([{ key: 'certificate:ui', severity: 'warning' }]);
  vi.useRealTimers();
  const [over] = await look(none, Date.now() + 801 * DAY);
  expect(over).toMatchObject({ severity: 'critical', what: expect.stringContaining('expired on') });
});

test('a confirmed certificate of a cloud is told of, as long as it is the confirmed one', async () => {
  const seen: CertificateSeen = {
    ...{ host: 'east', port: 443, subject: 'CN=east', issuer: 'CN=east', names: [], trustedBySystem: false },
    sha256: SHA256,
    validFrom: end(-300).toISOString(),
    validTo: end(20).toISOString(),
  };
  await writeCloudCertificate(database, 'c', seen, seen);
  const [alarm] = await look(cloud({ kind: 'pin', sha256: SHA256 }));
  expect(alarm).toMatchObject({ key: 'certificate:c', where: 'cloud east', kind: 'certificate-expiry' });
  expect(alarm?.remedy).toContain('cloudspan clouds trust east');
  expect(await look(cloud({ kind: 'pin', sha256: SHA256 }), Date.now(), 10)).toEqual([]);
  expect(await look(cloud({ kind: 'pin', sha256: 'cd'.repeat(32) }))).toEqual([]);
});

test('every CA of a cloud, a channel and the provider is told of; what is no certificate is not', async () => {
  const ca = {
    kind: 'ca',
    pem: `${pem}\n${pem}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----`,
  } as const;
  const target = { kind: 'syslog', host: 'h', port: 1, transport: 'tls', trust: ca };
  await database.query(
    `INSERT INTO channels (id, owner, name, target, events) VALUES ('h', 'o', 'ops', $1, '{alarms}')`,
    [target],
  );
  await database.query(`INSERT INTO settings VALUES ('provider', $1)`, [JSON.stringify({ ca: pem })]);
  const seen = await look(cloud(ca), Date.now() + 790 * DAY);
  expect(seen.map(({ key, where }) => `${key} ${where}`)).toEqual([
    'certificate:ui server',
    'certificate:c:0 cloud east',
    'certificate:c:1 cloud east',
    'certificate:h:0 channel ops',
    'certificate:h:1 channel ops',
    'certificate:provider:0 OpenID provider',
  ]);
});

test('an API token is told of in its last 30 days, at most the last third of its life, and a week beyond', async () => {
  const add = (id: string, created: number, expires: number) =>
    database.query(
      `INSERT INTO tokens (id, hash, account, name, scope, created_at, expires) VALUES ($1, $1, 'a', $1, 'read', $2, $3)`,
      [id, end(created), end(expires)],
    );
  await Promise.all([
    add('year-soon', -340, 25),
    add('year-late', -320, 45),
    add('week-young', -1, 6),
    add('week-old', -5, 2),
    add('over', -20, -2),
    add('long-over', -60, -20),
  ]);
  const keys = (await look(none)).map(({ key, kind, severity }) => `${key} ${kind} ${severity}`);
  expect(keys.toSorted()).toEqual([
    'token:over token-expiry critical',
    'token:week-old token-expiry warning',
    'token:year-soon token-expiry warning',
  ]);
});
