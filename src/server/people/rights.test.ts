import { expect, test } from 'vitest';
import { RIGHTS, type Right } from '../../model/rights.ts';
import { createRights, type Grant } from './rights.ts';

const anna = { account: 'a', user: 'anna', role: 'operator', tenant: null, scope: 'own', clouds: null } as const;
const root = { ...anna, user: 'admin', role: 'administrator' } as const;
const DC = ['dc'];
const WEB = ['dc', 'web'];
const VM = ['dc', 'web', 'vm'];

let count = 0;
const grant = (object: string | null, rights: Right[], more: Partial<Grant> = {}): Grant => ({
  number: ++count,
  account: 'a',
  cloud: 'c',
  object,
  effect: 'allow',
  rights,
  above: object === 'web' ? ['dc'] : object === 'vm' ? ['web', 'dc'] : [],
  ...more,
});
const forbid = (object: string | null, rights: Right[], account: string | null = null) =>
  grant(object, rights, { effect: 'forbid', account });
const rightsAt = (rights: ReturnType<typeof createRights>, place: string[], cloud = 'c') =>
  RIGHTS.filter((right) => rights.may(right, cloud, place));

test('an account without grants sees nothing', () => {
  const rights = createRights(anna, []);
  expect(rightsAt(rights, VM)).toEqual([]);
  expect(rights.shows('c', DC)).toBe('not');
  expect([rights.somewhere('see', 'c'), rights.administers, rights.seesAll]).toEqual([false, false, false]);
});

test('a grant of a folder holds for everything in it and for nothing beside or above it', () => {
  const rights = createRights(anna, [grant('web', ['operate'])]);
  expect(rightsAt(rights, VM)).toEqual(['see', 'operate']);
  expect(rightsAt(rights, WEB)).toEqual(['see', 'operate']);
  expect(rightsAt(rights, DC)).toEqual([]);
  expect(rightsAt(rights, ['dc', 'other'])).toEqual([]);
  expect(rightsAt(rights, VM, 'another cloud')).toEqual([]);
  expect([rights.shows('c', DC), rights.shows('c', VM), rights.shows('c', ['dc', 'other'])]).toEqual([
    'way',
    'whole',
    'not',
  ]);
  expect(rights.somewhere('operate', 'c')).toBe(true);
  expect(rights.somewhere('delete', 'c')).toBe(false);
});

test('grants add up downwards', () => {
  const rights = createRights(anna, [grant(null, ['see']), grant('web', ['copy-out']), grant('vm', ['operate'])]);
  expect(rightsAt(rights, DC)).toEqual(['see']);
  expect(rightsAt(rights, WEB)).toEqual(['see', 'copy-out']);
  expect(rightsAt(rights, VM)).toEqual(['see', 'operate', 'copy-out']);
});

test('a folder that never leaves binds everybody, administrators too, and whatever holds it', () => {
  const mark = forbid('web', ['copy-out']);
  for (const who of [anna, root]) {
    const rights = createRights(who, [grant(null, [...RIGHTS]), mark]);
    expect(rightsAt(rights, VM)).toEqual(RIGHTS.filter((right) => right !== 'copy-out'));
    expect(rightsAt(rights, DC)).toContain('copy-out');
    expect(rights.forbiddenBy('copy-out', 'c', DC, true)).toBe(mark);
    expect(rights.forbiddenBy('copy-out', 'c', ['dc', 'other'], true)).toBeUndefined();
  }
});

test('what is forbidden to see is gone with all that could be done with it, but an administrator still sees it', () => {
  const hidden = [grant(null, [...RIGHTS]), forbid('web', ['see'])];
  expect(rightsAt(createRights(anna, hidden), VM)).toEqual([]);
  expect(createRights(anna, hidden).shows('c', VM)).toBe('not');
  expect(rightsAt(createRights(root, hidden), VM)).toEqual([...RIGHTS]);
});

test('a viewer, and a token that reads, see what was granted and do nothing with it', () => {
  const grants = [grant(null, [...RIGHTS])];
  expect(rightsAt(createRights({ ...anna, role: 'viewer' }, grants), VM)).toEqual(['see']);
  expect(rightsAt(createRights({ ...anna, scope: 'read' }, grants), VM)).toEqual(['see']);
  const reading = createRights({ ...root, scope: 'read' }, []);
  expect([reading.administers, reading.seesAll, ...rightsAt(reading, VM)]).toEqual([false, true, 'see']);
});

test('a token for one cloud knows of no other and administers nothing', () => {
  const rights = createRights({ ...root, clouds: ['c'] }, []);
  expect(rightsAt(rights, VM)).toEqual([...RIGHTS]);
  expect(rightsAt(rights, VM, 'd')).toEqual([]);
  expect([rights.somewhere('see', 'd'), rights.administers, rights.seesAll]).toEqual([false, false, false]);
});

test('an administrator of a tenant may everything in its clouds, manages it, and has nothing else', () => {
  const rights = createRights({ ...root, tenant: 't' }, [grant(null, [...RIGHTS])], {
    ...{ ofTenant: ['mine', 'mine too'], ownAccounts: new Set() },
  });
  expect(rightsAt(rights, VM, 'mine')).toEqual([...RIGHTS]);
  expect(rightsAt(rights, VM)).toEqual([]);
  expect([rights.manages, rights.administers, rights.seesAll]).toEqual([true, false, false]);
  const near = createRights({ ...root, tenant: 't', clouds: ['mine', 'c'] }, [], {
    ...{ ofTenant: ['mine', 'mine too'], ownAccounts: new Set() },
  });
  expect(['mine', 'mine too', 'c'].map((cloud) => near.somewhere('see', cloud))).toEqual([true, false, false]);
  expect(near.manages).toBe(false);
});

test('what a question to the database is bound by is what may be seen', () => {
  const places = [[], DC, WEB, VM, ['dc', 'other'], ['dc', 'other', 'vm2']];
  const objects = [null, 'dc', 'web', 'vm', 'other'];
  const whos = [
    anna,
    root,
    { ...anna, role: 'viewer' as const },
    { ...anna, clouds: ['c'] },
    { ...root, clouds: ['d'] },
    { ...root, clouds: [] },
    { ...anna, scope: 'read' as const },
  ];
  const wrong: unknown[] = [];
  let seed = 1;
  const draw = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 400; round++) {
    const grants = Array.from({ length: draw(4) }, () =>
      grant(objects[draw(objects.length)] ?? null, draw(3) === 0 ? ['copy-in'] : ['see'], {
        cloud: draw(3) === 0 ? 'd' : 'c',
        effect: draw(3) === 0 ? 'forbid' : 'allow',
      }),
    );
    for (const who of whos) {
      for (const own of [[], ['c']]) {
        const { sees, may } = createRights(who, grants, { ofTenant: [], ownAccounts: new Set(own) });
        for (const cloud of ['c', 'd', 'e', ...own.flatMap((id) => [`${id}~${who.account}`, `${id}~somebody`])]) {
          // A cloud as a whole is no row; the one that everybody uses with their own account is seen by its grants.
          for (const place of places.filter(({ length }) => own.length === 0 || length > 0)) {
            const lies = ({ cloud: of, object }: { cloud: string; object: string | null }) =>
              of === cloud && (object === null || place.includes(object));
            const asked = sees.within?.some(lies) ?? (!cloud.includes('~') || sees.own.includes(cloud));
            if ((asked && !sees.without.some(lies)) !== may('see', cloud, place))
              wrong.push({ who, grants, cloud, place });
          }
        }
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('in a cloud that everybody uses with their own account a grant lets somebody in, and only the own sign-in shows it', () => {
  const world = { ofTenant: [], ownAccounts: new Set(['c']) };
  const rights = createRights(anna, [grant(null, ['see']), forbid('web', ['copy-out'])], world);
  expect(rightsAt(rights, [])).toEqual(['see']);
  expect(rightsAt(rights, VM)).toEqual([]);
  expect(rightsAt(rights, VM, 'c~a')).toEqual(['see', 'operate', 'copy-in', 'delete']);
  expect(rightsAt(rights, DC, 'c~a')).toEqual([...RIGHTS]);
  for (const other of [rights, createRights(root, [], world)]) expect(rightsAt(other, VM, 'c~somebody')).toEqual([]);
  expect(rightsAt(createRights(anna, [], world), VM, 'c~a')).toEqual([]);
  expect(rightsAt(createRights({ ...anna, role: 'viewer' }, [grant(null, ['see'])], world), VM, 'c~a')).toEqual([
    'see',
  ]);
});
