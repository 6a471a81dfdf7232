import { expect, test } from 'vitest';
import type { Provider } from '../../protocol/api/provider.ts';
import { roleOf } from './provided-account.ts';

const provider: Provider = {
  label: 'x',
  issuer: 'https://x.invalid',
  clientId: 'x',
  scope: 'openid',
  nameClaim: 'name',
  rolesClaim: 'groups',
  roles: { admins: 'administrator', staff: 'viewer', ops: 'operator' },
  defaultRole: null,
};
const role = (groups: unknown, more: Partial<Provider> = {}) =>
  roleOf({ ...provider, ...more }, { iss: 'i', sub: 's', groups });

test('the highest role that a value of the claim gives counts', () => {
  expect(role(['staff', 'ops'])).toBe('operator');
  expect(role(['staff', 'admins', 'others'])).toBe('administrator');
  expect(role('staff')).toBe('viewer');
});

test('a claim that gives no role lets nobody in, unless there is a default', () => {
  for (const groups of [undefined, null, [], ['others'], 'toString', ['__proto__'], { admins: true }, 7]) {
    expect(role(groups)).toBeNull();
    expect(role(groups, { defaultRole: 'viewer' })).toBe('viewer');
  }
});
