/** A reference to a managed object, as it is kept in memory and in the store. */
export type Ref = { readonly _ref: string; readonly id: string };

/** A vim25 data object. `_type` names its type where the schema's declaration does not. */
export interface Data {
  readonly [member: string]: Value;
}

export type Value = string | number | boolean | Ref | Data | readonly Value[] | undefined;

export function ref(type: string, id: string): Ref {
  return { _ref: type, id };
}

export function isRef(value: Value): value is Ref {
  return typeof value === 'object' && !Array.isArray(value) && '_ref' in value;
}

export function isObject(value: Value): value is Data {
  return typeof value === 'object' && !Array.isArray(value) && !('_ref' in value);
}

/** The member as text; undefined when it is absent or something else. */
export function text(of: Data | undefined, member: string): string | undefined {
  const value = of?.[member];
  return typeof value === 'string' ? value : undefined;
}

export function number(of: Data | undefined, member: string): number | undefined {
  const value = of?.[member];
  return typeof value === 'number' ? value : undefined;
}

export function flag(of: Data | undefined, member: string): boolean | undefined {
  const value = of?.[member];
  return typeof value === 'boolean' ? value : undefined;
}

export function object(of: Data | undefined, member: string): Data | undefined {
  const value = of?.[member];
  return isObject(value) ? value : undefined;
}

export function reference(of: Data | undefined, member: string): Ref | undefined {
  const value = of?.[member];
  return isRef(value) ? value : undefined;
}

function list(of: Data | undefined, member: string): readonly Value[] {
  const value = of?.[member];
  return Array.isArray(value) ? value : [];
}

export function objects(of: Data | undefined, member: string): Data[] {
  return list(of, member).filter(isObject);
}

export function references(of: Data | undefined, member: string): Ref[] {
  return list(of, member).filter(isRef);
}

export function texts(of: Data | undefined, member: string): string[] {
  return list(of, member).filter((one) => typeof one === 'string');
}

/** The type a data object says it is, or the one its place declares. */
export function typeOf(value: Data, declared = ''): string {
  return typeof value._type === 'string' ? value._type : declared;
}
