import { dataMembers, enumValues, isA, isData, isManaged, isPrimitive, type Member } from '../schema/types.ts';
import type { Data, Value } from '../value.ts';
import { invalidRequest, type VimFault } from '../vim-fault.ts';
import type { Element } from './element.ts';

const XSI = 'http://www.w3.org/2001/XMLSchema-instance';
const XSD = 'http://www.w3.org/2001/XMLSchema';

function place(element: Element): string {
  return `at line ${element.line}, column ${element.column}`;
}

function unreadable(element: Element, why: string, staticType: string): VimFault {
  return invalidRequest(`${why}\n\nwhile parsing "${element.name}" of static type ${staticType}\n${place(element)}`);
}

function declaredType(element: Element): string | undefined {
  const written = element.qualified.get(`{${XSI}}type`);
  if (written === undefined) return undefined;
  const colon = written.indexOf(':');
  const prefix = colon < 0 ? '' : written.slice(0, colon);
  const local = colon < 0 ? written : written.slice(colon + 1);
  const space = element.bindings[prefix];
  if (space !== XSD && space !== 'urn:vim25') {
    throw unreadable(element, `Unable to resolve the xsi:type "${written}"`, 'anyType');
  }
  return local;
}

function scalar(element: Element, type: string): Value {
  const raw = element.text;
  if (element.children.length > 0)
    throw unreadable(element, `Unexpected element tag "${element.children[0]?.name}" seen`, type);
  if (type === 'string' || type === 'base64Binary' || type === 'anyURI') return raw;
  const trimmed = raw.trim();
  if (type === 'boolean') {
    if (trimmed === 'true' || trimmed === '1') return true;
    if (trimmed === 'false' || trimmed === '0') return false;
    throw unreadable(element, `"${trimmed}" is not a boolean`, type);
  }
  if (type === 'dateTime') {
    if (Number.isNaN(Date.parse(trimmed))) throw unreadable(element, `"${trimmed}" is not a dateTime`, type);
    return trimmed;
  }
  const value = Number(trimmed);
  const whole = type !== 'double' && type !== 'float';
  if (trimmed === '' || Number.isNaN(value) || (whole && !Number.isInteger(value))) {
    throw unreadable(element, `"${trimmed}" is not a number`, type);
  }
  if (type === 'int' && (value > 2147483647 || value < -2147483648))
    throw unreadable(element, `${trimmed} is out of range`, type);
  return value;
}

/**
 * Reads one value of a request. The order of members is the schema's: an element out of place, unknown or of a type that does not
 * fit its place is an `InvalidRequest`, as the vendor's server answers.
 */
function decodeValue(element: Element, staticType: string): Value {
  const written = declaredType(element);
  if (isManaged(staticType) || written === 'ManagedObjectReference') {
    const type = element.attributes.get('type') ?? staticType;
    if (!element.text.trim()) throw unreadable(element, 'A managed object reference is empty', staticType);
    return { _ref: type, id: element.text.trim() };
  }
  const type = written ?? staticType;
  if (type === 'anyType') return element.children.length ? decodeObject(element, 'DynamicData') : element.text;
  if (isPrimitive(type)) return scalar(element, type);
  if (type.startsWith('ArrayOf')) {
    const inner = type.slice('ArrayOf'.length);
    const lower = inner.charAt(0).toLowerCase() + inner.slice(1);
    return element.children.map((child) => decodeValue(child, isPrimitive(lower) ? lower : inner));
  }
  const allowed = enumValues(type);
  if (allowed) {
    const chosen = element.text.trim();
    if (!allowed.has(chosen)) throw unreadable(element, `"${chosen}" is not a value of the enumeration`, type);
    return chosen;
  }
  if (!isData(type)) throw unreadable(element, `Unknown type "${type}"`, staticType);
  if (written && staticType !== 'anyType' && !isA(written, staticType)) {
    throw unreadable(element, `"${written}" is not a "${staticType}"`, staticType);
  }
  return decodeObject(element, type, type !== staticType);
}

function decodeObject(element: Element, type: string, named = true): Data {
  const fields = decodeMembers(element, dataMembers(type), `DataObject of type ${type}`);
  return named ? { _type: type, ...fields } : fields;
}

/** Reads the children of an element as the members of a data object or the parameters of a method. */
export function decodeMembers(element: Element, members: Member[], what: string): Data {
  const fields: Record<string, Value> = {};
  let next = 0;
  for (const child of element.children) {
    let at = next;
    while (at < members.length && members[at]?.name !== child.name) at++;
    const member = members[at];
    if (!member) {
      const misplaced = members.some((one) => one.name === child.name);
      const expected = members.slice(next).find((one) => !one.optional && fields[one.name] === undefined)?.name;
      throw invalidRequest(
        `Unexpected element tag "${child.name}" seen${misplaced ? ', out of the order of the schema' : ''}` +
          `${expected ? `, expected "${expected}"` : ''}\n\nwhile parsing serialized ${what}\n${place(child)}`,
      );
    }
    missing(members.slice(next, at), fields, element, what);
    const value = decodeValue(child, member.type);
    if (member.many) {
      fields[member.name] = [...((fields[member.name] as Value[] | undefined) ?? []), value];
      next = at;
    } else {
      fields[member.name] = value;
      next = at + 1;
    }
  }
  missing(members.slice(next), fields, element, what);
  return fields;
}

function missing(skipped: Member[], fields: Record<string, Value>, element: Element, what: string): void {
  for (const member of skipped) {
    if (member.optional || member.many || fields[member.name] !== undefined) continue;
    throw invalidRequest(`Required property ${member.name} is missing from serialized ${what}\n${place(element)}`);
  }
}
