/** A piece of finished XML. Plain strings given to `el` are escaped; markup is taken as it is. */
export interface Markup {
  readonly markup: string;
}

export type Child = Markup | string | number | boolean | null | undefined | readonly Child[];
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

const textEscapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };
const attributeEscapes: Record<string, string> = { ...textEscapes, '"': '&quot;', '\n': '&#10;', '\t': '&#9;' };
// XML 1.0 section 2.2: these code points cannot be written at all.
const unwritable = /[\p{Cc}\ufffe\uffff]/gu;

function escapeWith(text: string, table: Record<string, string>): string {
  const writable = text.replace(unwritable, (found) => (/[\t\n\r\u007f-\u009f]/.test(found) ? found : ''));
  return writable.replace(/[&<>"\r\n\t]/g, (found) => table[found] ?? found);
}

function render(child: Child): string {
  if (child === null || child === undefined) return '';
  if (typeof child === 'object') {
    return 'markup' in child ? child.markup : child.map(render).join('');
  }
  return escapeWith(String(child), textEscapes);
}

/** Builds one element. Attributes that are null or undefined are left out; children are written in order. */
export function el(name: string, attributes: Attributes = {}, ...children: Child[]): Markup {
  let head = name;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    head += ` ${key}="${escapeWith(String(value), attributeEscapes)}"`;
  }
  const inner = children.map(render).join('');
  return { markup: inner === '' ? `<${head}/>` : `<${head}>${inner}</${name}>` };
}

/** An element with text only: `leaf('Name', 'x')` → `<Name>x</Name>`. */
export function leaf(name: string, text: string | number | boolean): Markup {
  return el(name, {}, String(text));
}

export function xmlDocument(root: Markup): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root.markup}\n`;
}
