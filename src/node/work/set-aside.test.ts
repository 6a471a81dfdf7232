import { expect, test } from 'vitest';
import { roleOfSetting } from '../../model/setting.ts';
import { judgeSetting } from './set-aside.ts';

const judged = async (state: 'intent' | 'made', now: string) => {
  const row = { id: 'r', job: 'j', owner: 'o', cloud: 'c', action: 'change' as const, kind: 'vapp' as const };
  const role = roleOfSetting('nics');
  const entry = { ...row, role, name: 'app', marker: 'm', objectId: 'v', before: 'a,b', after: 'off', state, at: '' };
  const sources = { settings: () => Promise.resolve({ nics: now }) } as never;
  return (await judgeSetting({ sources }, entry, new AbortController().signal)).outcome;
};

test('a change that broke in its middle is set back, one that somebody else made since is left', async () => {
  expect(await judged('intent', 'a')).toBe('restore');
  expect(await judged('intent', 'off')).toBe('restore');
  expect(await judged('intent', 'a,b')).toBe('gone');
  expect(await judged('made', 'a')).toBe('left');
  expect(await judged('made', 'off')).toBe('restore');
  expect(await judged('made', 'a,b')).toBe('gone');
});
