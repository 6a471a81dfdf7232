import { SaxesParser } from 'saxes';
import { Fault } from '../../model/fault.ts';

const XSI = 'http://www.w3.org/2001/XMLSchema-instance';
const XSD = 'http://www.w3.org/2001/XMLSchema';

/** A managed object: `{ type: 'VirtualMachine', id: 'vm-42' }`. */
export interface Ref {
  readonly type: string;
  readonly id: string;
}

/**
 * One element of a vim25 document. Prefixes are resolved and dropped. Children keep their order, so that what the
 * server made (an import spec) can be given back to it.
 */
export interface Element {
  name: string;
  /** `xsi:type` without the vendor's prefix (`VirtualDisk`), or `xsd:int` for the schema's own types. */
  type: string | undefined;
  /** The plain `type` attribute of a reference to a managed object. */
  refType: string | undefined;
  children: Element[];
  text: string;
}

/** Parses a SOAP document. A document type declaration is refused. Fault: `cloud.protocol`. */
export function parseDocument(xml: string, who: string): Element {
  const parser = new SaxesParser({ xmlns: true });
  const top: Element = { name: '', type: undefined, refType: undefined, children: [], text: '' };
  const open: Element[] = [top];
  const refuse = (why: string): never => {
    throw new Fault('cloud.protocol', `${who}: the answer is not the XML of the vSphere API: ${why}`);
  };
  parser.on('error', (error) => refuse(error.message));
  parser.on('doctype', () => refuse('it declares a document type'));
  parser.on('opentag', (tag) => {
    const element: Element = { name: tag.local, type: undefined, refType: undefined, children: [], text: '' };
    for (const attribute of Object.values(tag.attributes)) {
      if (attribute.local !== 'type') continue;
      if (attribute.uri === XSI) element.type = qualified(attribute.value, (prefix) => parser.resolve(prefix));
      else if (attribute.prefix === '') element.refType = attribute.value;
    }
    if (open.length > 200) refuse('it is nested too deep');
    open.at(-1)!.children.push(element);
    open.push(element);
  });
  const onText = (text: string) => {
    open.at(-1)!.text += text;
  };
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.on('closetag', () => {
    const element = open.pop()!;
    if (element.children.length > 0) element.text = '';
  });
  parser.write(xml).close();
  return top.children[0] ?? refuse('it is empty');
}

function qualified(value: string, resolve: (prefix: string) => string | undefined): string {
  const colon = value.indexOf(':');
  if (colon < 0) return value;
  const local = value.slice(colon + 1);
  return resolve(value.slice(0, colon)) === XSD ? `xsd:${local}` : local;
}

export function child(element: Element | undefined, ...path: string[]): Element | undefined {
  let at = element;
  for (const name of path) at = at?.children.find((candidate) => candidate.name === name);
  return at;
}

export function childrenOf(element: Element | undefined, name: string): Element[] {
  return element?.children.filter((candidate) => candidate.name === name) ?? [];
}

export function textOf(element: Element | undefined, ...path: string[]): string | undefined {
  return child(element, ...path)?.text;
}

export function numberOf(element: Element | undefined, ...path: string[]): number | undefined {
  const text = textOf(element, ...path);
  if (text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

export function flagOf(element: Element | undefined, ...path: string[]): boolean | undefined {
  const text = textOf(element, ...path);
  return text === undefined ? undefined : text === 'true' || text === '1';
}

export function refOf(element: Element | undefined, ...path: string[]): Ref | undefined {
  const found = child(element, ...path);
  return found?.refType === undefined || found.text === '' ? undefined : { type: found.refType, id: found.text };
}

/** The references inside an `ArrayOfManagedObjectReference`. */
export function refsOf(element: Element | undefined): Ref[] {
  return element?.children.map((item) => refOf(item)).filter((ref) => ref !== undefined) ?? [];
}
