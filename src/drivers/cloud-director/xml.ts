import { XMLParser } from 'fast-xml-parser';
import { Fault } from '../../model/fault.ts';

/** The one namespace of Cloud Director's own types since release 1.5; here its elements carry no prefix. */
const VCLOUD = 'http://www.vmware.com/vcloud/v1.5';

/**
 * Prefixes as this driver writes them. Whatever prefix a document uses, after reading an element of one of these
 * namespaces is called by the prefix given here: `ovf:Item`, `rasd:Address`; attributes of the vcloud namespace that
 * carried a prefix are `vcloud:capacity`.
 */
const PREFIXES: Readonly<Record<string, string>> = {
  'http://www.vmware.com/vcloud/v1.5': '',
  'http://www.vmware.com/vcloud/versions': '',
  'http://www.vmware.com/vcloud/extension/v1.5': 'vmext:',
  'http://schemas.dmtf.org/ovf/envelope/1': 'ovf:',
  'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData': 'rasd:',
  'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData': 'vssd:',
  'http://www.vmware.com/schema/ovf': 'vmw:',
  'http://schemas.dmtf.org/ovf/environment/1': 'ovfenv:',
  'http://www.w3.org/2001/XMLSchema-instance': 'xsi:',
  'http://www.w3.org/XML/1998/namespace': 'xml:',
};

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Its own character data, trimmed only where it also has children. */
  readonly text: string;
}

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  cdataPropName: '#cdata',
});

type Node = Record<string, unknown>;

/**
 * Reads one document. There is no document type and no entity but the five of XML and character references; anything
 * else is `cloud.protocol`.
 */
export function parseXml(text: string, what: string): XmlElement {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) {
    throw new Fault('cloud.protocol', `${what}: the document has a document type, which this API never sends`);
  }
  let nodes: Node[];
  try {
    nodes = parser.parse(text) as Node[];
  } catch (error) {
    throw new Fault('cloud.protocol', `${what}: what was answered is no XML`, { cause: error });
  }
  const root = (Array.isArray(nodes) ? nodes : []).find((node) => nameOf(node) !== '#text');
  if (root === undefined) throw new Fault('cloud.protocol', `${what}: what was answered is no XML`);
  return convert(root, { '': '', xml: 'http://www.w3.org/XML/1998/namespace' });
}

function nameOf(node: Node): string {
  return Object.keys(node).find((key) => key !== ':@') ?? '#text';
}

function convert(node: Node, outer: Readonly<Record<string, string>>): XmlElement {
  const tag = nameOf(node);
  const raw = (node[':@'] ?? {}) as Record<string, string>;
  const spaces: Record<string, string> = { ...outer };
  for (const [name, value] of Object.entries(raw)) {
    if (name === 'xmlns') spaces[''] = decode(String(value));
    else if (name.startsWith('xmlns:')) spaces[name.slice(6)] = decode(String(value));
  }
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) {
    if (name === 'xmlns' || name.startsWith('xmlns:')) continue;
    attributes[attributeName(name, spaces)] = decode(String(value));
  }
  const children: XmlElement[] = [];
  let own = '';
  for (const child of node[tag] as Node[]) {
    const kind = nameOf(child);
    if (kind === '#text') own += decode(String(child['#text']));
    else if (kind === '#cdata') own += (child['#cdata'] as Node[]).map((part) => String(part['#text'])).join('');
    else children.push(convert(child, spaces));
  }
  return { name: elementName(tag, spaces), attributes, children, text: children.length > 0 ? own.trim() : own };
}

function split(name: string): [prefix: string, local: string] {
  const colon = name.indexOf(':');
  return colon < 0 ? ['', name] : [name.slice(0, colon), name.slice(colon + 1)];
}

function elementName(tag: string, spaces: Readonly<Record<string, string>>): string {
  const [prefix, local] = split(tag);
  const space = spaces[prefix] ?? '';
  return `${PREFIXES[space] ?? (prefix === '' ? '' : `${prefix}:`)}${local}`;
}

function attributeName(name: string, spaces: Readonly<Record<string, string>>): string {
  const [prefix, local] = split(name);
  if (prefix === '') return local;
  const space = spaces[prefix] ?? '';
  if (space === VCLOUD) return `vcloud:${local}`;
  return `${PREFIXES[space] ?? `${prefix}:`}${local}`;
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decode(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot|apos));/gi, (whole, hex, decimal, named) => {
    if (named !== undefined) return NAMED[String(named).toLowerCase()] ?? whole;
    const code = hex === undefined ? Number.parseInt(decimal, 10) : Number.parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '';
  });
}

export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((candidate) => candidate.name === name);
}

export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((candidate) => candidate.name === name) ?? [];
}

/** The element at the end of a path of names: the first of each. */
export function at(element: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
  return path.reduce(child, element);
}

/** Text at the end of a path; empty where there is none. */
export function textAt(element: XmlElement | undefined, ...path: string[]): string {
  return at(element, ...path)?.text.trim() ?? '';
}

export function numberAt(element: XmlElement | undefined, ...path: string[]): number | undefined {
  const text = textAt(element, ...path);
  const number = Number(text);
  return text === '' || !Number.isFinite(number) ? undefined : number;
}

/** The href of the first link with this `rel` and, where given, this type (media types know no case). */
export function linkOf(element: XmlElement | undefined, rel: string, type?: string): string | undefined {
  return childrenOf(element, 'Link').find(
    ({ attributes }) =>
      attributes.rel === rel && (type === undefined || attributes.type?.toLowerCase() === type.toLowerCase()),
  )?.attributes.href;
}

function escapeXml(text: string): string {
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll('\r', '&#13;')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 cannot hold
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
  );
}

/** Markup that is complete in itself, so that text and markup cannot be taken for each other. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Markup | string | number | boolean | undefined | readonly Content[];

/** One element; `undefined` as content or attribute leaves it out, an element without content is written empty. */
export function tag(
  name: string,
  attributes: Readonly<Record<string, string | number | boolean | undefined>>,
  ...content: Content[]
): Markup {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escapeXml(String(value)).replaceAll('\n', '&#10;').replaceAll('\t', '&#9;')}"`)
    .join('');
  return new Markup(`<${name}${written}>${content.map(write).join('')}</${name}>`);
}

function write(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Markup) return content.text;
  if (Array.isArray(content)) return content.map(write).join('');
  return escapeXml(String(content));
}

/** A request body: `root` in the vcloud namespace, with the prefixes that its content may use. */
export function body(
  root: string,
  attributes: Readonly<Record<string, string | number | boolean | undefined>>,
  ...content: Content[]
): string {
  const spaces = {
    xmlns: VCLOUD,
    'xmlns:ovf': 'http://schemas.dmtf.org/ovf/envelope/1',
    'xmlns:rasd': 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData',
    'xmlns:vmw': 'http://www.vmware.com/schema/ovf',
    'xmlns:vcloud': VCLOUD,
    'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance',
  };
  return `<?xml version="1.0" encoding="UTF-8"?>\n${tag(root, { ...spaces, ...attributes }, ...content).text}`;
}

/** A read element as markup again, names as they are here (for writing back a section that was read). */
export function rewrite(element: XmlElement): Markup {
  return tag(
    element.name,
    element.attributes,
    element.text === '' ? undefined : element.text,
    element.children.map(rewrite),
  );
}

/** The entry type of Cloud Director's media types: `application/vnd.vmware.vcloud.<name>+xml`. */
export function mediaType(name: string): string {
  return `application/vnd.vmware.vcloud.${name}+xml`;
}
