/** One element as text, ready to be put into another one. */
export interface XmlText {
  lines: string[];
}

type Attributes = Record<string, string | number | boolean | undefined>;

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Escapes, and replaces what XML 1.0 cannot hold at all. */
function escaped(text: string, attribute: boolean): string {
  const held = text
    .toWellFormed()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML cannot hold
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character)
    .replace(/\r/g, '&#13;');
  return attribute ? held.replace(/\n/g, '&#10;').replace(/\t/g, '&#9;') : held;
}

function startOf(name: string, attributes: Attributes): string {
  const parts = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escaped(String(value), true)}"`],
  );
  return `<${name}${parts.join('')}`;
}

/** An element with children; those that are false or undefined are left out. */
export function element(name: string, attributes: Attributes, ...children: (XmlText | false | undefined)[]): XmlText {
  const inner = children.flatMap((child) => (child ? child.lines : []));
  const start = startOf(name, attributes);
  if (inner.length === 0) return { lines: [`${start}/>`] };
  return { lines: [`${start}>`, ...inner.map((line) => (line.startsWith('\0') ? line : `  ${line}`)), `</${name}>`] };
}

/** An element with text, which is kept to the last space. */
export function textElement(name: string, text: string | number | boolean, attributes: Attributes = {}): XmlText {
  const [first = '', ...rest] = `${startOf(name, attributes)}>${escaped(String(text), false)}</${name}>`.split('\n');
  return { lines: [first, ...rest.map((line) => `\0${line}`)] };
}

/** The document; lines marked with NUL go on inside a text and get no indent. */
export function xmlDocument(root: XmlText): string {
  const body = root.lines.map((line) => (line.startsWith('\0') ? line.slice(1) : line)).join('\n');
  return `<?xml version="1.0" encoding="UTF-8"?>\n${body}\n`;
}
