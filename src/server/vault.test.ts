import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openVault } from './vault.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-vault-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test('a secret comes out as it went in, also after the server started again', async () => {
  const sealed = (await openVault(folder)).seal('row-1', 'pässwörd');
  expect((await openVault(folder)).open('row-1', sealed)).toBe('pässwörd');
});

test('the same secret never looks the same, and its text is not in the sealed bytes', async () => {
  const vault = await openVault(folder);
  const [first, second] = [vault.seal('row', 'tell-nobody'), vault.seal('row', 'tell-nobody')];
  expect(first.equals(second)).toBe(false);
  expect(first.includes('tell-nobody')).toBe(false);
});

test('fingerprints are the same after a restart, and others under another key', async () => {
  const [one, again] = [await openVault(folder), await openVault(folder)];
  expect(one.fingerprint('text')).toBe(again.fingerprint('text'));
  expect(one.fingerprint('text')).not.toBe(one.fingerprint('texts'));
  await rm(join(folder, 'vault.key'));
  expect((await openVault(folder)).fingerprint('text')).not.toBe(one.fingerprint('text'));
});

test('a secret that was moved to another row does not open', async () => {
  const vault = await openVault(folder);
  const sealed = vault.seal('row-1', 'mine');
  expect(() => vault.open('row-2', sealed)).toThrow(expect.objectContaining({ code: 'vault.locked' }));
});

test('every changed byte is noticed', async () => {
  const vault = await openVault(folder);
  const sealed = vault.seal('row', 'x');
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    expect(() => vault.open('row', changed)).toThrow(expect.objectContaining({ code: 'vault.locked' }));
  }
});

test('another key opens nothing, and a key of the wrong length is refused at the start', async () => {
  const sealed = (await openVault(folder)).seal('row', 'x');
  await writeFile(join(folder, 'vault.key'), Buffer.alloc(32, 7).toString('base64'));
  const other = await openVault(folder);
  expect(() => other.open('row', sealed)).toThrow(expect.objectContaining({ code: 'vault.locked' }));
  await writeFile(join(folder, 'vault.key'), 'short');
  await expect(openVault(folder)).rejects.toMatchObject({ code: 'vault.locked' });
});

test('the key file is for its owner only', async () => {
  await openVault(folder);
  expect((await stat(join(folder, 'vault.key'))).mode & 0o777).toBe(0o600);
  expect(Buffer.from(await readFile(join(folder, 'vault.key'), 'utf8'), 'base64')).toHaveLength(32);
});
