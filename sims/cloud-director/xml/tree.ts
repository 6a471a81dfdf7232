import { SaxesParser } from 'saxes';
import { badRequest } from '../refusal.ts';
import { type Attributes, el, type Markup } from './writer.ts';

interface XmlAttribute {
  local: string;
  uri: string;
  value: string;
}

/** One parsed element; plain data, so that a section a client sent can be kept in the store as it is. */
export interface XmlElement {
  local: string;
  uri: string;
  attributes: XmlAttribute[];
  children: XmlElement[];
  text: string;
}

const maximumDepth = 64;
const maximumElements = 200_000;

/**
 * Parses a whole document. A document type declaration is refused, so there are no entities of a caller's making,
 * inside or outside of the document. Throws a 400 `Refusal` for everything that is not well-formed.
 */
export function parseXml(text: string): XmlElement {
  const parser = new SaxesParser({ xmlns: true });
  const open: XmlElement[] = [];
  let root: XmlElement | undefined;
  let elements = 0;
  parser.on('error', (error) => {
    throw badRequest(`The document is not well-formed XML: ${error.message}`);
  });
  parser.on('doctype', () => {
    throw badRequest('The document has a document type declaration, which is not accepted.');
  });
  parser.on('opentag', (tag) => {
    elements += 1;
    if (open.length >= maximumDepth || elements > maximumElements) {
      throw badRequest('The document is too deep or too large.');
    }
    const attributes = Object.values(tag.attributes)
      .filter((attribute) => attribute.prefix !== 'xmlns' && attribute.name !== 'xmlns')
      .map(({ local, uri, value }) => ({ local, uri, value }));
    const element: XmlElement = { local: tag.local, uri: tag.uri, attributes, children: [], text: '' };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on('closetag', () => {
    open.pop();
  });
  const addText = (part: string) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += part;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.write(text).close();
  if (root === undefined) throw badRequest('The document is empty.');
  return root;
}

/** First child with this local name, whatever its namespace. */
export function child(element: XmlElement | undefined, local: string): XmlElement | undefined {
  return element?.children.find((candidate) => candidate.local === local);
}

export function childrenOf(element: XmlElement | undefined, local: string): XmlElement[] {
  return element?.children.filter((candidate) => candidate.local === local) ?? [];
}

/** Walks down by local names: `path(root, 'Configuration', 'FenceMode')`. */
export function path(element: XmlElement | undefined, ...locals: string[]): XmlElement | undefined {
  return locals.reduce<XmlElement | undefined>((at, local) => child(at, local), element);
}

/** Trimmed text of the element below; undefined when the element is not there. */
export function textOf(element: XmlElement | undefined, ...locals: string[]): string | undefined {
  return path(element, ...locals)?.text.trim();
}

/** Attribute by local name; namespaced and plain attributes are both found. */
export function attributeOf(element: XmlElement | undefined, local: string): string | undefined {
  return element?.attributes.find((attribute) => attribute.local === local)?.value;
}

export function booleanOf(text: string | undefined): boolean | undefined {
  if (text === undefined || text === '') return undefined;
  return text === 'true' || text === '1';
}

/** Writes a kept element again, with the prefixes of the document it goes into. Unknown namespaces are left out. */
export function toMarkup(element: XmlElement, prefixes: Readonly<Record<string, string>>): Markup {
  const prefix = prefixes[element.uri] ?? '';
  const attributes: Record<string, Attributes[string]> = {};
  for (const attribute of element.attributes) {
    const attributePrefix = attribute.uri === '' ? '' : prefixes[attribute.uri];
    if (attributePrefix !== undefined) attributes[`${attributePrefix}${attribute.local}`] = attribute.value;
  }
  const children = element.children.map((inner) => toMarkup(inner, prefixes));
  return el(`${prefix}${element.local}`, attributes, ...children, children.length === 0 ? element.text : '');
}
