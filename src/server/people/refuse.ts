import { Fault } from '../../model/fault.ts';
import { joinPath } from '../../model/path.ts';
import type { Right } from '../../model/rights.ts';
import type { StoredObject } from '../store/objects.ts';
import type { Rights } from './rights.ts';

const WORDS: Record<Right, string> = {
  see: 'see',
  operate: 'operate',
  'copy-out': 'copy anything out of',
  'copy-in': 'copy anything into',
  delete: 'delete',
};

/**
 * For an object that the account sees. Faults: `auth.forbidden`, which names the mark where there is one, also one that
 * lies inside of what is copied out.
 */
export function refuseObject(
  right: Right,
  rights: Rights,
  cloud: { id: string; name: string },
  object: Pick<StoredObject, 'ids' | 'names'>,
): void {
  const { user } = rights.who;
  const place = `${cloud.name}${joinPath(object.names)}`;
  const mark = rights.forbiddenBy(right, cloud.id, object.ids, right === 'copy-out' || right === 'delete');
  if (mark !== undefined) {
    const depth = mark.object === null ? 0 : object.ids.indexOf(mark.object) + 1;
    const inside = mark.object !== null && depth === 0;
    const where = inside ? `something in ${place}` : `${cloud.name}${joinPath(object.names.slice(0, depth))}`;
    const whom = mark.account === null ? 'everybody' : user;
    throw new Fault(
      'auth.forbidden',
      `${user} may not ${WORDS[right]} ${place}: ${right} is forbidden for ${whom} at ${where}`,
      {
        remedy: `If it was not meant, an administrator takes it back: cloudspan grants remove ${mark.number}`,
        details: { right, grant: mark.number },
      },
    );
  }
  if (rights.may(right, cloud.id, object.ids)) return;
  throw new Fault('auth.forbidden', `${user} may not ${WORDS[right]} ${place}`, {
    remedy: remedyOf(right, rights),
    details: { right },
  });
}

export function remedyOf(right: Right, { who }: Rights): string {
  if (right !== 'see' && who.role === 'viewer') return 'A viewer only sees: an administrator can give another role.';
  if (right !== 'see' && who.scope === 'read') return 'The token only reads: make one with the scope "operate".';
  return `Ask an administrator for it: cloudspan grants add --account ${who.user} --rights ${right} --at …`;
}
