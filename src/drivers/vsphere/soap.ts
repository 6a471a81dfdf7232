import type { Element, Ref } from './element.ts';

/**
 * Writes vim25 elements as text. A real vCenter refuses members that are not in the order of the schema, so callers
 * write them in that order (vSphere Web Services API Reference: own members after those of the base type).
 */
export function element(name: string, ...content: string[]): string {
  return `<${name}>${content.join('')}</${name}>`;
}

/** A leaf; nothing when there is no value. */
export function leaf(name: string, value: string | number | boolean | undefined): string {
  return value === undefined ? '' : `<${name}>${escapeText(String(value))}</${name}>`;
}

export function reference(name: string, ref: Ref | undefined): string {
  return ref === undefined ? '' : `<${name} type="${escapeText(ref.type)}">${escapeText(ref.id)}</${name}>`;
}

/** An element whose type is a subtype of what the schema names there. */
export function typed(name: string, type: string, ...content: string[]): string {
  return `<${name} xsi:type="${type}">${content.join('')}</${name}>`;
}

/** An element of an answer, given back to the server as it came. */
export function written(source: Element, name: string = source.name): string {
  const type = source.type === undefined ? '' : ` xsi:type="${escapeText(source.type)}"`;
  const refType = source.refType === undefined ? '' : ` type="${escapeText(source.refType)}"`;
  const content =
    source.children.length > 0 ? source.children.map((item) => written(item)).join('') : escapeText(source.text);
  return `<${name}${type}${refType}>${content}</${name}>`;
}

/** Elements for changing a spec of the server before it is given back. */
export function leafElement(name: string, value: string | number | boolean, type?: string): Element {
  return { name, type, refType: undefined, children: [], text: String(value) };
}

export function groupElement(name: string, children: Element[], type?: string): Element {
  return { name, type, refType: undefined, children, text: '' };
}

export function envelope(method: string, self: Ref, content: string): string {
  return (
    '<?xml version="1.0" encoding="UTF-8"?>' +
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"' +
    ' xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">' +
    `<soapenv:Body><${method} xmlns="urn:vim25">${reference('_this', self)}${content}</${method}></soapenv:Body>` +
    '</soapenv:Envelope>'
  );
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;' };

/** Characters that XML 1.0 cannot carry become U+FFFD. */
export function escapeText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"\r]/g, (character) => ENTITIES[character]!);
}
