import { expect, test } from 'vitest';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { Signed } from '../auth.ts';
import { createSights } from './sight.ts';

const CAPABILITIES: NonNullable<CloudView['checked']>['capabilities'] = [
  { name: 'inventory', state: 'works', found: 'yes' },
];
const shared: CloudView = {
  ...{ id: 'c1', name: 'vc', driver: 'toy', node: 'n1', options: { url: 'https://inner' } },
  ...{ trust: { kind: 'pin', sha256: '00' }, state: 'failed', objects: 7, facets: [] },
  fault: { code: 'auth.refused', message: 'svc-inner is refused', remedy: '', retry: 'never' },
  checked: {
    ...{ at: '2026-01-01T00:00:00.000Z', user: 'svc-inner', product: 'inner', version: 'inner' },
    checks: [{ name: 'login', outcome: 'fail', found: 'svc-inner at 10.0.0.1 (inner)' }],
    capabilities: CAPABILITIES,
    fault: { code: 'auth.refused', message: 'svc-inner is refused', remedy: '', retry: 'never' },
  },
};
const anna: Signed = {
  ...{ account: 'a', user: 'anna', role: 'operator', tenant: null, scope: 'own', clouds: null, via: 'session' },
};
const root: Signed = { ...anna, role: 'administrator' };

const see = async (view: CloudView, signed: Signed) => {
  const grant = { number: 1, account: 'a', cloud: 'c1', object: null, effect: 'allow', rights: ['see'], above: [] };
  const sights = createSights(
    { query: async () => [grant] } as never,
    { list: () => [view], nameOf: () => null } as never,
    { list: () => [] } as never,
  );
  return (await sights.of(signed)).cloud(view);
};

test('of the check of a cloud only administrators read who signed in, from where and to what', async () => {
  const seen = await see(shared, anna);
  expect(seen?.checked).toEqual({ at: '2026-01-01T00:00:00.000Z', checks: [], capabilities: CAPABILITIES });
  expect(seen?.options).toEqual({});
  expect(await see(shared, root)).toEqual(shared);
});

test('who has not signed in to a cloud with their own account is told nothing of the one that keeps watch', async () => {
  for (const signed of [anna, root]) {
    const seen = await see({ ...shared, ownAccounts: true }, signed);
    expect(seen).toMatchObject({ signedIn: false, objects: 0 });
    expect(JSON.stringify(seen)).not.toContain('svc-inner');
    expect(seen).not.toHaveProperty('fault');
    expect(seen).not.toHaveProperty('checked');
  }
});
