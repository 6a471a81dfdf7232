import { SaxesParser } from 'saxes';

/** One XML element with its namespaces resolved. Text is the concatenation of its own character data. */
export type Element = {
  name: string;
  space: string;
  attributes: Map<string, string>;
  /** Attributes by `{namespace}local`. */
  qualified: Map<string, string>;
  /** Prefix bindings in force here, to resolve a QName in an attribute's value. */
  bindings: Record<string, string>;
  children: Element[];
  text: string;
  line: number;
  column: number;
};

export class XmlError extends Error {}

const MAX_DEPTH = 200;

/**
 * Parses a whole document. Document type declarations are refused, so no entity of the sender's making is ever expanded.
 * @throws XmlError when it is not well-formed, too deep, or carries a DOCTYPE
 */
export function parseXml(source: string): Element {
  const parser = new SaxesParser({ xmlns: true, position: true });
  const stack: Element[] = [];
  let root: Element | undefined;
  parser.on('error', (error) => {
    throw new XmlError(error.message);
  });
  parser.on('doctype', () => {
    throw new XmlError('a document type declaration is not allowed');
  });
  parser.on('opentag', (tag) => {
    if (stack.length >= MAX_DEPTH) throw new XmlError('elements are nested too deeply');
    const element: Element = {
      name: tag.local,
      space: tag.uri,
      attributes: new Map(),
      qualified: new Map(),
      bindings: { ...stack.at(-1)?.bindings, ...tag.ns },
      children: [],
      text: '',
      line: parser.line,
      column: parser.column,
    };
    for (const attribute of Object.values(tag.attributes)) {
      if (attribute.prefix === 'xmlns' || attribute.name === 'xmlns') continue;
      element.attributes.set(attribute.local, attribute.value);
      element.qualified.set(`{${attribute.uri}}${attribute.local}`, attribute.value);
    }
    stack.at(-1)?.children.push(element);
    root ??= element;
    stack.push(element);
  });
  parser.on('text', (chunk) => {
    const at = stack.at(-1);
    if (at) at.text += chunk;
  });
  parser.on('cdata', (chunk) => {
    const at = stack.at(-1);
    if (at) at.text += chunk;
  });
  parser.on('closetag', () => {
    stack.pop();
  });
  try {
    parser.write(source).close();
  } catch (error) {
    throw error instanceof XmlError ? error : new XmlError(error instanceof Error ? error.message : String(error));
  }
  if (!root) throw new XmlError('the document is empty');
  return root;
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#xD;' };

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are exactly what XML 1.0 cannot carry
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

export function escapeXml(value: string): string {
  return value.replace(FORBIDDEN, '\ufffd').replace(/[&<>"\r]/g, (found) => ESCAPES[found] ?? found);
}
