import { Fault } from './fault.ts';

/**
 * Paths name objects of a cloud: `/DC0/vm/web-01`. Between the slashes stand names in which `/` is written `%2F` and
 * `%` is written `%25`; nothing else is escaped, so any other Unicode stands as it is. `%` in front of anything else
 * is taken as it stands, so that a name such as `100%` may be typed.
 */
export function escapeName(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F');
}

export function unescapeName(segment: string): string {
  return segment.replace(/%(2[Ff]|25)/g, (_, hex: string) => (hex === '25' ? '%' : '/'));
}

export function joinPath(names: readonly string[]): string {
  return `/${names.map(escapeName).join('/')}`;
}

/** The names of a path; `/` and the empty string are the root and give no name. */
export function splitPath(path: string): string[] {
  return path
    .split('/')
    .filter((segment) => segment !== '')
    .map(unescapeName);
}

export interface CloudPath {
  cloud: string;
  /** Names from the cloud's root downwards. */
  names: string[];
  /** Set when the object was named by its id: `cloud/id:vm-42`. */
  id?: string;
}

/** Reads `<cloud>[/path]` or `<cloud>/id:<object id>`, the form of every command that names an object. */
export function parseCloudPath(text: string): CloudPath {
  const slash = text.indexOf('/');
  const cloud = unescapeName(slash < 0 ? text : text.slice(0, slash));
  if (cloud === '') {
    throw new Fault('input.invalid', `"${text}" does not begin with the name of a cloud`, {
      remedy: 'Write <cloud>/<path>, for example vc1/DC0/vm/web-01.',
    });
  }
  const rest = slash < 0 ? '' : text.slice(slash + 1);
  if (rest.startsWith('id:')) return { cloud, names: [], id: unescapeName(rest.slice(3)) };
  return { cloud, names: splitPath(rest) };
}
