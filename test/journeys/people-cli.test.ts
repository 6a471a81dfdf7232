import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PeopleWorld, startPeopleWorld } from './people-world.ts';
import { filesWith } from './secrets.ts';
import { send } from './server-installation.ts';
import { faultCode, type Said, Terminal } from './terminal.ts';

const WORD = 'a very long word of hers';
const NEXT = 'the next long word instead';

let world: PeopleWorld;
let root: Terminal;
let anna: Terminal;
const secrets = new Set([WORD, NEXT]);

const login = (terminal: Terminal, user: string, password: string) => {
  const { url, fingerprint } = world.server.ready;
  return terminal.run(['login', new URL(url).host, '--fingerprint', fingerprint, '--user', user, '--json'], {
    CLOUDSPAN_PASSWORD: password,
  });
};
const well = (said: Said) => {
  expect([said.code, said.stderr]).toEqual([0, expect.any(String)]);
  return said;
};

beforeAll(async () => {
  world = await startPeopleWorld();
  [root, anna] = [await Terminal.open(), await Terminal.open()];
  secrets.add(world.server.password);
  well(await login(root, 'admin', world.server.password));
}, 60_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await root?.[Symbol.asyncDispose]();
  await anna?.[Symbol.asyncDispose]();
});

test('an account is made, granted a folder, and sees that folder', async () => {
  const short = await root.run(['accounts', 'create', 'anna', '--json'], { CLOUDSPAN_NEW_PASSWORD: 'short' });
  expect(faultCode(short)).toBe('input.invalid');
  well(await root.run(['accounts', 'create', 'anna', '--role', 'operator'], { CLOUDSPAN_NEW_PASSWORD: WORD }));
  const twice = await root.run(['accounts', 'create', 'anna', '--json'], { CLOUDSPAN_NEW_PASSWORD: WORD });
  expect(faultCode(twice)).toBe('object.exists');
  well(await login(anna, 'anna', WORD));
  expect((await anna.run(['clouds', 'list', '--json'])).json.clouds).toEqual([]);
  expect(faultCode(await anna.run(['accounts', 'list', '--json']))).toBe('auth.forbidden');
  const words = ['--at', 'a/DC 1/vm/secret', '--rights', 'operate,copy-out'];
  expect((await root.run(['grants', 'add', '--account', 'anna', ...words])).stdout).toContain(
    'anna may see, operate, copy-out at a/DC 1/vm/secret',
  );
  expect((await anna.run(['ls', 'a/DC 1/vm'])).stdout).toContain('secret');
  expect((await anna.run(['grants', 'list'])).stdout).toMatch(/anna +allow +see,operate,copy-out +a\/DC 1\/vm\/secret/);
  const forbid = ['grants', 'forbid', '--everybody', '--at', 'a/DC 1/vm/secret', '--rights', 'copy-out', '--json'];
  const mark = well(await root.run(forbid)).json.number;
  const copy = await root.run(['copy', 'a/DC 1/vm/secret/payroll', 'b/DC 1/vm', '--json']);
  expect([faultCode(copy), JSON.stringify(copy.json)]).toEqual([
    'auth.forbidden',
    expect.stringContaining('everybody'),
  ]);
  well(await root.run(['grants', 'remove', String(mark)]));
});

test('a password is changed by oneself with the old one, and every session ends with it', async () => {
  const wrong = await anna.run(['accounts', 'password'], { CLOUDSPAN_PASSWORD: NEXT, CLOUDSPAN_NEW_PASSWORD: NEXT });
  expect(faultCode(wrong)).toBe('auth.refused');
  const second = await world.as('').login({ body: { user: 'anna', password: WORD } });
  well(await anna.run(['accounts', 'password'], { CLOUDSPAN_PASSWORD: WORD, CLOUDSPAN_NEW_PASSWORD: NEXT }));
  await expect(world.as(second.token).me({})).rejects.toMatchObject({ code: 'auth.required' });
  expect(faultCode(await anna.run(['clouds', 'list', '--json']))).toBe('auth.required');
  expect(faultCode(await login(anna, 'anna', WORD))).toBe('auth.refused');
  well(await login(anna, 'anna', NEXT));
});

test('wrong passwords lock a name with growing waits, the same for one that nobody has', async () => {
  const guess = async (user: string, password: string) => {
    const body = JSON.stringify({ user, password });
    const answer = await send(world.server.ready.url, { method: 'POST', path: '/api/v1/login', body }, '');
    return { ...(JSON.parse(answer.text) as { code: string; message: string; details?: { until: string } }), answer };
  };
  well(await root.run(['accounts', 'create', 'victim'], { CLOUDSPAN_NEW_PASSWORD: WORD }));
  const faults: Record<string, string[]> = {};
  const waits: Record<string, number> = {};
  for (const user of ['victim', 'nobody']) {
    const seen: Awaited<ReturnType<typeof guess>>[] = [];
    while (seen.length < 10 && seen.at(-1)?.code !== 'auth.locked') seen.push(await guess(user, 'wrong'));
    const words = seen.map(({ code, message }) => `${code} ${message.replace(user, 'X').replace(/\d{4}-\S+/, 'T')}`);
    faults[user] = [...new Set(words)];
    expect(seen.slice(0, 5).map(({ code }) => code)).toEqual(Array(5).fill('auth.refused'));
    const last = seen.at(-1);
    expect(last?.code).toBe('auth.locked');
    expect(Date.parse(last?.details?.until ?? '')).toBeGreaterThan(Date.now() - 1_000);
    waits[user] = Number(last?.answer.headers['retry-after']);
    expect(waits[user]).toBeGreaterThanOrEqual(1);
  }
  expect(faults.victim).toEqual(faults.nobody);
  await sleep((waits.victim ?? 0) * 1000 + 100);
  expect((await guess('victim', 'wrong')).code).toBe('auth.refused');
  const locked = await guess('victim', WORD);
  expect(locked.code).toBe('auth.locked');
  expect(Number(locked.answer.headers['retry-after'])).toBeGreaterThan(waits.victim ?? 0);
  const many = await Promise.all(Array.from({ length: 12 }, () => guess('another', 'wrong')));
  expect(many.filter(({ code }) => code === 'auth.refused').length).toBeLessThanOrEqual(5);
  well(await root.run(['accounts', 'reset-password', 'victim'], { CLOUDSPAN_NEW_PASSWORD: NEXT }));
  expect((await guess('victim', NEXT)).code).toBeUndefined();
});

test('many wrong passwords from one address lock the address, whatever the names', async () => {
  const guess = (user: string) => world.as('').login({ body: { user, password: 'wrong' } });
  const codes: string[] = [];
  for (let attempt = 0; attempt < 40 && codes.at(-1) !== 'auth.locked'; attempt++) {
    codes.push(await guess(`stranger${attempt}`).catch((fault) => fault.code));
  }
  expect(codes.at(-1)).toBe('auth.locked');
  await expect(guess('yet-another')).rejects.toThrow(/from 127\.0\.0\.1/);
  // The owner of the machine lets the test go on.
  await forgetFailures();
  well(await login(root, 'admin', world.server.password));
});

test('the last administrator is not deleted, disabled or degraded', async () => {
  for (const words of [
    ['delete', 'admin'],
    ['disable', 'admin'],
    ['role', 'admin', 'viewer'],
  ]) {
    expect(faultCode(await root.run(['accounts', ...words]))).toBe('object.in-use');
  }
  expect((await root.run(['accounts', 'list'])).stdout).toMatch(/admin +administrator +by password/);
});

test('a token does what its scope says, in its clouds, until it ends or is revoked', async () => {
  const make = async (name: string, ...words: string[]) => {
    const { token } = well(await root.run(['tokens', 'create', name, ...words, '--json'])).json;
    secrets.add(String(token));
    return String(token);
  };
  const reading = world.as(await make('reader'));
  const near = world.as(await make('near', '--scope', 'operate', '--cloud', 'a'));
  const [a, b] = (await world.server.client.listClouds({})).clouds;
  const power = (cloud = '') => ({ cloud, object: 'vm-1', body: { action: 'on' } }) as const;
  expect((await reading.listClouds({})).clouds).toHaveLength(2);
  await expect(reading.power(power(a?.id))).rejects.toMatchObject({ code: 'auth.forbidden' });
  await expect(reading.listAccounts({})).rejects.toMatchObject({ code: 'auth.forbidden' });
  expect((await near.listClouds({})).clouds.map(({ name }) => name)).toEqual(['a']);
  await near.power(power(a?.id));
  await expect(near.power(power(b?.id))).rejects.toMatchObject({ code: 'object.missing' });
  const own = await make('own', '--scope', 'own');
  expect((await world.as(own).listAccounts({})).accounts.length).toBeGreaterThan(1);
  const more = { name: 'more', scope: 'own', expiresInDays: 1 } as const;
  await expect(world.as(own).createToken({ body: more })).rejects.toMatchObject({ code: 'auth.forbidden' });

  const brief = world.as(await make('brief', '--days', String(1.5 / 86_400)));
  await brief.me({});
  await sleep(1_600);
  await expect(brief.me({})).rejects.toMatchObject({ code: 'auth.required' });
  const { tokens } = (await root.run(['tokens', 'list', '--json'])).json as { tokens: Record<string, string>[] };
  expect(tokens.find(({ name }) => name === 'reader')).toMatchObject({
    lastAddress: '127.0.0.1',
    lastUsedAt: expect.any(String),
  });
  expect(JSON.stringify(tokens)).not.toContain('cst_');
  well(await root.run(['tokens', 'revoke', 'reader']));
  await expect(reading.me({})).rejects.toMatchObject({ code: 'auth.required' });

  const { url, fingerprint } = world.server.ready;
  const file = join(anna.home, 'token');
  await writeFile(file, `${own}\n`);
  const words = ['login', new URL(url).host, '--fingerprint', fingerprint, '--json'];
  expect(well(await anna.run([...words, '--token-file', file])).json).toMatchObject({ user: 'admin', scope: 'own' });
  expect(well(await anna.run(words, { CLOUDSPAN_TOKEN: own })).json).toMatchObject({ user: 'admin' });
  expect((await anna.run(['clouds', 'list', '--json'])).json.clouds).toHaveLength(2);
});

test('a locked-out administrator gets in again on the machine of the server, while it runs and while it does not', async () => {
  const words = ['server', 'reset-password', '--data', world.server.folder, '--json'];
  const shown = well(await root.run(words)).json;
  expect(shown).toMatchObject({ account: 'admin', password: expect.stringMatching(/^.{20}$/) });
  secrets.add(String(shown.password));
  expect(faultCode(await root.run(['clouds', 'list', '--json']))).toBe('auth.required');
  well(await login(root, 'admin', String(shown.password)));
  const file = join(root.home, 'password');
  await writeFile(file, `${WORD}\n`);
  expect(well(await root.run([...words, '--account', 'anna', '--password-file', file])).json).toEqual({
    account: 'anna',
  });
  well(await login(anna, 'anna', WORD));
  expect(faultCode(await root.run([...words, '--account', 'nobody']))).toBe('object.missing');
  expect(faultCode(await root.run(['server', 'reset-password', '--data', root.home, '--json']))).toBe('input.invalid');
  let asleep = '';
  await world.server.restart(async () => {
    asleep = String(well(await root.run(words)).json.password);
  });
  secrets.add(asleep);
  well(await login(root, 'admin', asleep));
});

test('the audit log has every action and sign-in, who and from where, and no secret; nothing changes it', async () => {
  const { lines } = well(await root.run(['audit', '--since', '1h', '--json']));
  const told = lines.map(({ account, operation, object, outcome }) =>
    [account, operation, object, outcome].join(' | '),
  );
  const expected = [
    'admin | login |  | done',
    'anna | login |  | auth.refused',
    '(unknown) | login |  | auth.refused',
    'victim | login |  | auth.locked',
    'admin | createAccount | name anna, role operator | done',
    'admin | createAccount | name anna, role viewer | object.exists',
    'anna | changePassword |  | auth.refused',
    'anna | changePassword |  | done',
    'admin | resetPassword | account victim | done',
    '(server machine) | resetPassword | account admin | done',
    'admin | deleteAccount | account admin | object.in-use',
    'admin | addCloud | name a, node left, driver toy, signIn shared | done',
    'admin | power | cloud a, object vm-1 (/DC 1/vm/web%2F01 100%25), action on | done',
    'admin | power | cloud a, object vm-1 (/DC 1/vm/web%2F01 100%25), action on | auth.forbidden',
    'admin | startJob | source a/DC 1/vm/secret/payroll, destination b/DC 1/vm | auth.forbidden',
  ];
  for (const line of expected) expect(told).toContain(line);
  expect(told.some((line) => line.startsWith('admin | addGrant | account anna, at a/DC 1/vm/secret'))).toBe(true);
  expect(lines.find(({ via }) => via === 'token near')).toMatchObject({ address: '127.0.0.1', operation: 'power' });
  const text = (await root.run(['audit', '--csv'])).stdout;
  expect(text.split('\r\n')[0]).toBe('number,at,account,address,via,operation,object,outcome');
  expect(text).toContain('"account anna');
  for (const secret of secrets) {
    expect(JSON.stringify(lines)).not.toContain(secret);
    expect(text).not.toContain(secret);
  }
  expect(
    (await root.run(['audit', '--account', 'anna', '--outcome', 'auth.refused', '--json'])).lines.length,
  ).toBeGreaterThan(0);
  expect(faultCode(await anna.run(['audit', '--json']))).toBe('auth.forbidden');
  for (const method of ['POST', 'PUT', 'DELETE'] as const) {
    for (const path of ['/api/v1/audit', '/api/v1/audit/1']) {
      expect((await send(world.server.ready.url, { method, path }, world.server.token)).status).toBe(404);
    }
  }
  for (const change of ['DELETE FROM audit', `UPDATE audit SET account = 'somebody'`, 'TRUNCATE audit']) {
    await expect(inDatabase(change)).rejects.toThrow(/audit log is only added to|not assigned/);
  }
});

test('passwords and tokens are in no file of the server as they are', async () => {
  const ours = [...secrets].filter((secret) => secret.length > 10);
  expect(ours.length).toBeGreaterThan(6);
  expect(await filesWith(world.server.folder, ours)).toEqual([]);
});

/** What the owner of the machine can do. */
async function inDatabase(statement: string): Promise<void> {
  const password = (await readFile(join(world.server.folder, 'postgres.password'), 'utf8')).trim();
  const host = join(world.server.folder, 'postgres');
  const client = new pg.Client({ host, port: 5432, user: 'cloudspan', database: 'postgres', password });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function forgetFailures(): Promise<void> {
  await inDatabase('DELETE FROM sign_in_failures');
}
