import type { Managed } from './managed.ts';
import { dataMembers, isData, type Member, property, propertyNames } from './schema/types.ts';
import { type Data, isObject, typeOf, type Value } from './value.ts';
import { VimFault } from './vim-fault.ts';

export type Found = { path: string; member: Member; value: Value };

function invalidProperty(name: string): VimFault {
  return new VimFault('InvalidProperty', `A property "${name}" does not exist.`, { name });
}

/**
 * Reads a dotted property path. A path the type cannot have is `InvalidProperty`; one that is merely unset here gives undefined.
 * Where the schema declares a base type, the members of the value's own type may be named too. An array ends a path, unless one of
 * its elements is chosen by its key: `config.hardware.device[2000]`.
 */
export function readPath(object: Managed, path: string): Found | undefined {
  const parts = path.match(/[^.[\]"]+|\["?[^\]"]*"?\]/g) ?? [];
  const first = parts[0] ?? '';
  let member = property(object.type, first);
  if (!member) throw invalidProperty(path);
  let value: Value = object.read(first);
  for (const part of parts.slice(1)) {
    if (part.startsWith('[')) {
      if (!member.many) throw invalidProperty(path);
      const key = part.replace(/^\["?|"?\]$/g, '');
      const list: readonly Value[] = Array.isArray(value) ? value : [];
      value = list.find((one) => isObject(one) && String((one as Data).key as string | number) === key);
      member = { ...member, many: false };
      continue;
    }
    if (member.many || !isData(member.type)) throw invalidProperty(path);
    const actual: string = isObject(value) ? typeOf(value, member.type) : member.type;
    const next: Member | undefined =
      dataMembers(member.type).find((one) => one.name === part) ?? dataMembers(actual).find((one) => one.name === part);
    if (!next) throw invalidProperty(path);
    value = isObject(value) ? (value as Data)[part] : undefined;
    member = next;
  }
  return value === undefined ? undefined : { path, member, value };
}

/** Every property that is set, for a filter that asks for `all`. */
export function readAll(object: Managed): Found[] {
  const found: Found[] = [];
  for (const path of propertyNames(object.type)) {
    const one = readPath(object, path);
    if (one) found.push(one);
  }
  return found;
}
