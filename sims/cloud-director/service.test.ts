import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DiskFiles } from './disk-files.ts';
import { linkOf } from './lab-client.ts';
import {
  client,
  cloud,
  folder,
  hrefOf,
  labState,
  ovf,
  query,
  setFaults,
  startLabs,
  startUpload,
  statusOf,
  upload,
  v15,
  vmdk,
} from './lab-scene.ts';
import { attributeOf, childrenOf, textOf } from './xml/tree.ts';

startLabs();

/** Parentheses group terms, so a value's own must be encoded, which `encodeURIComponent` does not do. */
function encodeValue(text: string): string {
  return encodeURIComponent(text).replace(/[()]/g, (found) => (found === '(' ? '%28' : '%29'));
}

describe('queries', () => {
  test('pages add up, and filters join, group, match wildcards and take a reference in any form', async () => {
    for (const name of ['a(1)', 'b;2', 'c,3', 'd 4', 'ä5']) {
      const org = await hrefOf('organization', 'org1');
      const answer = await client.call('POST', `${org.replace('/api/org/', '/api/admin/org/')}/catalogs`, {
        body: `<AdminCatalog ${v15} name="${name}"/>`,
      });
      expect(answer.status, answer.text).toBe(201);
    }
    const names = async (filter: string) =>
      childrenOf(await query('catalog', `&filterEncoded=true&filter=${filter}`), 'CatalogRecord').map((record) =>
        attributeOf(record, 'name'),
      );
    const first = await query('catalog', '&page=1&pageSize=3&sortAsc=name');
    const last = await client.get(linkOf(await client.get(linkOf(first, 'nextPage')), 'nextPage'));
    expect([
      attributeOf(first, 'total'),
      childrenOf(first, 'CatalogRecord').length,
      childrenOf(last, 'CatalogRecord').length,
    ]).toEqual(['7', 3, 1]);
    for (const name of ['a(1)', 'b;2', 'c,3', 'd 4', 'ä5']) {
      expect(await names(`name==${encodeValue(name)}`)).toEqual([name]);
    }
    expect(await names('name==d+4')).toEqual(['d 4']);
    expect(await names(`name==${encodeURIComponent('b\\;2')}`)).toEqual(['b;2']);
    expect(await names('name==ima*')).toEqual(['images']);
    expect(await names('(name==images,name==templates);numberOfMedia==0;name!=images')).toEqual(['templates']);
    const org = await hrefOf('organization', 'org1');
    const id = org.split('/').at(-1);
    for (const reference of [org, `urn:vcloud:org:${id}`, id]) {
      expect(await names(`org==${encodeURIComponent(String(reference))};name==images`)).toEqual(['images']);
    }
    expect(attributeOf(await query('vApp', '&filter=name==nothing'), 'total')).toBe('0');
    expect((await client.call('GET', '/api/query?type=catalog&filter=nonsense==1')).status).toBe(400);
  });

  test('metadata is merged, read, searched and deleted, and a missing key is forbidden', async () => {
    const item = await hrefOf('catalog', 'images');
    const admin = item.replace('/api/catalog/', '/api/admin/catalog/');
    const body = `<Metadata ${v15} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><MetadataEntry><Key>owner id</Key><TypedValue xsi:type="MetadataStringValue"><Value>a b</Value></TypedValue></MetadataEntry></Metadata>`;
    expect(attributeOf(await client.settled(await client.call('POST', `${admin}/metadata`, { body })), 'status')).toBe(
      'success',
    );
    expect(textOf(await client.get(`${item}/metadata/owner%20id`), 'TypedValue', 'Value')).toBe('a b');
    const found = await query('catalog', `&filter=metadata:${encodeURIComponent('owner id')}==STRING:a%20b`);
    expect(childrenOf(found, 'CatalogRecord').map((record) => attributeOf(record, 'name'))).toEqual(['images']);
    await client.settled(await client.call('DELETE', `${admin}/metadata/owner%20id`));
    expect((await client.call('GET', `${item}/metadata/owner%20id`)).status).toBe(403);
  });
});

describe('sessions and faults', () => {
  test('versions need no login, an unknown version is not acceptable, a wrong password and an expired session are 401', async () => {
    expect((await client.call('GET', '/api/versions', { headers: { accept: '*/*' } })).text).toContain(
      '<Version>37.0</Version>',
    );
    expect((await client.call('GET', '/api/org', { version: '99.99' })).status).toBe(406);
    const basic = Buffer.from(`${cloud.user}@${cloud.org}:wrong`).toString('base64');
    expect((await client.call('POST', '/api/sessions', { headers: { authorization: `Basic ${basic}` } })).status).toBe(
      401,
    );
    await setFaults([{ on: 'call', path: '/api/org', nth: 2, action: { kind: 'expire-sessions' } }]);
    expect((await client.call('GET', '/api/org')).status).toBe(200);
    expect((await client.call('GET', '/api/org')).status).toBe(401);
    expect((await client.call('GET', '/api/org')).status).toBe(401);
  });

  test('an API token logs in for its organization', async () => {
    const registered = await client.call('POST', '/oauth/tenant/org1/register', { body: '{"client_name":"x"}' });
    const { client_id } = JSON.parse(registered.text) as { client_id: string };
    const session = JSON.parse((await client.call('GET', '/cloudapi/1.0.0/sessions/current')).text) as {
      org: { name: string };
    };
    expect(session.org.name).toBe('org1');
    const basic = Buffer.from(`${cloud.user}@${cloud.org}:${cloud.password}`).toString('base64');
    const login = await client.call('POST', '/cloudapi/1.0.0/sessions', {
      headers: { authorization: `Basic ${basic}` },
    });
    const assertion = String(login.headers['x-vmware-vcloud-access-token']);
    const form = (fields: Record<string, string>) => ({
      body: new URLSearchParams(fields).toString(),
      headers: { authorization: '' },
    });
    const own = await client.call('GET', '/api/session', { headers: { authorization: `Bearer ${assertion}` } });
    expect(attributeOf(own.xml(), 'org')).toBe('org1');
    const made = await client.call(
      'POST',
      '/oauth/tenant/org1/token',
      form({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion, client_id }),
    );
    const { refresh_token } = JSON.parse(made.text) as { refresh_token: string };
    const token = await client.call(
      'POST',
      '/oauth/tenant/org1/token',
      form({ grant_type: 'refresh_token', refresh_token }),
    );
    const { access_token } = JSON.parse(token.text) as { access_token: string };
    expect(
      (await client.call('GET', '/api/org', { headers: { authorization: `Bearer ${access_token}` } })).status,
    ).toBe(200);
  });

  test('rules fail calls with Retry-After and fail tasks', async () => {
    await setFaults([
      {
        on: 'call',
        method: 'GET',
        path: '/api/org',
        action: { kind: 'fail', status: 429, code: 'TOO_MANY_REQUESTS', retryAfter: 3 },
      },
      { on: 'task', operation: 'vdcUploadOvfContents', action: { kind: 'fail', message: 'no space' } },
    ]);
    const answer = await client.call('GET', '/api/org');
    expect([answer.status, answer.headers['retry-after']]).toEqual([429, '3']);
    expect((await client.call('GET', '/api/org')).status).toBe(200);
    const { template, disk } = await startUpload('t1', ovf(vmdk.length));
    await client.call('PUT', disk, { body: vmdk });
    expect(await statusOf(template)).toMatchObject({ status: '-1', error: expect.stringMatching(/no space/) });
  });

  test('a catalog with items is deleted only when asked for recursively', async () => {
    await upload('t1');
    const admin = (await hrefOf('catalog', 'templates')).replace('/api/catalog/', '/api/admin/catalog/');
    const refused = await client.call('DELETE', `${admin}?force=false&recursive=false`);
    expect([refused.status, attributeOf(refused.xml(), 'message')]).toEqual([
      400,
      expect.stringMatching(/You must remove/),
    ]);
    await client.settled(await client.call('DELETE', `${admin}?force=true&recursive=true`));
    await expect.poll(labState).toMatchObject({ entities: { catalog: 1, template: 0, vm: 0 }, rawDisks: 0 });
    expect(await readdir(new DiskFiles(join(folder, 'data', 'disks')).folder)).toEqual([]);
  });
});
