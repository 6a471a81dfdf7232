import { SaxesParser } from 'saxes';
import { Fault } from '../../model/fault.ts';

const MAX_DESCRIPTOR_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 64;
const MAX_ELEMENTS = 250_000;

/** An element with its prefixes resolved. */
export interface XmlElement {
  namespace: string;
  /** Local name. */
  name: string;
  /** By local name, whatever the namespace; `namespaced` tells them apart where that matters. */
  attributes: ReadonlyMap<string, string>;
  namespaced: ReadonlyMap<string, string>;
  children: readonly XmlElement[];
  /** Text directly inside, as it stands. */
  text: string;
}

function decode(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.subarray(0, 200)).toString('latin1');
  let label = /^(?:\xef\xbb\xbf)?<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)["']/.exec(head)?.[1] ?? 'utf-8';
  if (head.startsWith('\xff\xfe')) label = 'utf-16le';
  if (head.startsWith('\xfe\xff')) label = 'utf-16be';
  try {
    return new TextDecoder(label, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Fault('ovf.invalid', `the OVF descriptor is not text in ${label}`, { cause });
  }
}

/**
 * Parses a whole descriptor. Knows the five predefined entities and character references only; a document type is
 * refused before anything in it is looked at. Faults: `ovf.hostile` (document type, too large, too deep, too many
 * elements), `ovf.invalid` (not well formed).
 */
export function parseXml(bytes: Uint8Array): XmlElement {
  if (bytes.length > MAX_DESCRIPTOR_BYTES) {
    throw new Fault(
      'ovf.hostile',
      `the OVF descriptor has ${bytes.length} bytes; ${MAX_DESCRIPTOR_BYTES} are the limit`,
    );
  }
  const parser = new SaxesParser({ xmlns: true, position: true });
  const open: (XmlElement & { children: XmlElement[] })[] = [];
  let root: XmlElement | undefined;
  let count = 0;
  parser.on('doctype', () => {
    throw new Fault(
      'ovf.hostile',
      'the OVF descriptor has a document type (DOCTYPE), which could name outside entities',
    );
  });
  parser.on('error', (error) => {
    throw new Fault('ovf.invalid', `the OVF descriptor is not well-formed XML: ${error.message}`);
  });
  parser.on('opentag', (tag) => {
    if (open.length >= MAX_DEPTH)
      throw new Fault('ovf.hostile', `the OVF descriptor is nested deeper than ${MAX_DEPTH}`);
    if (++count > MAX_ELEMENTS)
      throw new Fault('ovf.hostile', `the OVF descriptor has more than ${MAX_ELEMENTS} elements`);
    const attributes = new Map<string, string>();
    const namespaced = new Map<string, string>();
    for (const { uri, local, prefix, value } of Object.values(tag.attributes)) {
      if (prefix === 'xmlns' || (prefix === '' && local === 'xmlns')) continue;
      attributes.set(local, value);
      namespaced.set(`${uri}|${local}`, value);
    }
    const element = { namespace: tag.uri, name: tag.local, attributes, namespaced, children: [], text: '' };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on('closetag', () => void open.pop());
  const addText = (text: string): void => {
    const element = open.at(-1);
    if (element) element.text += text;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.write(decode(bytes)).close();
  if (!root) throw new Fault('ovf.invalid', 'the OVF descriptor is empty');
  return root;
}

/** The children of that local name, whatever their namespace. */
export function childrenOf(element: XmlElement | undefined, ...names: string[]): XmlElement[] {
  return element?.children.filter((child) => names.includes(child.name)) ?? [];
}

export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

/** Trimmed text of a child; undefined when it is missing or empty. */
export function textOf(element: XmlElement | undefined, name: string): string | undefined {
  return childOf(element, name)?.text.trim() || undefined;
}
