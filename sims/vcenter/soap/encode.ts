import { dataMembers, enumValues, isData, isManaged, isPrimitive, type Member } from '../schema/types.ts';
import { type Data, isRef, typeOf, type Value } from '../value.ts';
import { escapeXml } from './element.ts';

function scalarType(value: string | number | boolean): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'boolean';
  if (!Number.isInteger(value)) return 'double';
  return Math.abs(value) > 2147483647 ? 'long' : 'int';
}

function typeAttribute(type: string): string {
  return ` xsi:type="${isPrimitive(type) ? 'xsd:' : ''}${type}"`;
}

/** Writes one element. `declared` is the type its place has in the schema; `tagged` demands an `xsi:type` in any case. */
export function encodeElement(name: string, value: Value, declared: string, tagged = false): string {
  if (value === undefined) return '';
  if (isRef(value)) {
    const tag = tagged || declared === 'anyType' ? ' xsi:type="ManagedObjectReference"' : '';
    return `<${name} type="${value._ref}"${tag}>${escapeXml(value.id)}</${name}>`;
  }
  if (typeof value !== 'object') {
    const known = isPrimitive(declared) && declared !== 'anyType';
    const type = known || enumValues(declared) ? declared : scalarType(value);
    const tag = tagged || declared === 'anyType' ? typeAttribute(type) : '';
    return `<${name}${tag}>${escapeXml(String(value))}</${name}>`;
  }
  if (Array.isArray(value)) return encodeArray(name, value, declared);
  const type = typeOf(value as Data, declared);
  if (type.startsWith('ArrayOf')) {
    const inner = type.slice('ArrayOf'.length);
    return encodeArray(name, ((value as Data)[inner] as readonly Value[] | undefined) ?? [], inner);
  }
  const tag = tagged || type !== declared ? typeAttribute(type) : '';
  return `<${name}${tag}>${encodeMembers(value as Data, type)}</${name}>`;
}

/** The members of a data object in the order of the schema. A member the schema does not know is a mistake of the simulator. */
export function encodeMembers(value: Data, type: string): string {
  if (!isData(type)) throw new TypeError(`the vim25 table has no type ${type}`);
  const members = dataMembers(type);
  let xml = '';
  for (const member of members) xml += encodeMember(member, value[member.name]);
  for (const name of Object.keys(value)) {
    if (name !== '_type' && !members.some((member) => member.name === name))
      throw new TypeError(`${type} has no member ${name}`);
  }
  return xml;
}

export function encodeMember(member: Member, value: Value): string {
  if (value === undefined) return '';
  if (!member.many) return encodeElement(member.name, value, member.type);
  return (value as readonly Value[]).map((one) => encodeElement(member.name, one, member.type)).join('');
}

function encodeArray(name: string, values: readonly Value[], declared: string): string {
  const capital = declared.charAt(0).toUpperCase() + declared.slice(1);
  const kind = isManaged(declared) ? 'ManagedObjectReference' : capital;
  const inner = isManaged(declared) ? 'ManagedObjectReference' : declared;
  const tagged = isManaged(declared) || (isPrimitive(declared) && declared !== 'anyType');
  const body = values.map((one) => encodeElement(inner, one, declared, tagged)).join('');
  return `<${name} xsi:type="ArrayOf${kind}">${body}</${name}>`;
}

/** The value of a property as the PropertyCollector sends it: always with its type, arrays as `ArrayOf…`. */
export function encodeProperty(name: string, value: Value, member: Member): string {
  if (value === undefined) return '';
  return member.many
    ? encodeArray(name, value as readonly Value[], member.type)
    : encodeElement(name, value, member.type, true);
}
