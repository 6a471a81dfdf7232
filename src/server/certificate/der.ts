/** A bounded reader of DER (X.690), enough for PKCS#12. */
export interface Der {
  /** Tag byte: `0x30` a sequence, `0x04` octets, `0xa0` the context's 0 … */
  tag: number;
  content: Buffer;
  /** Tag, length and content. */
  whole: Buffer;
}

const DEEPEST = 16;

/** The elements that lie one after the other in `bytes`. Throws where they do not fill it exactly. */
export function readAll(bytes: Buffer): Der[] {
  const elements: Der[] = [];
  for (let at = 0; at < bytes.length; ) {
    const element = read(bytes.subarray(at));
    elements.push(element);
    at += element.whole.length;
  }
  return elements;
}

/** The first element; what follows it is left alone. */
export function read(bytes: Buffer): Der {
  const tag = bytes[0];
  const first = bytes[1];
  if (tag === undefined || first === undefined) throw new Error('it ends in the middle');
  let length = first;
  let head = 2;
  if (first > 0x80) {
    const count = first - 0x80;
    if (count > 4 || bytes.length < 2 + count) throw new Error('a length is not readable');
    length = bytes.readUIntBE(2, count);
    head = 2 + count;
  } else if (first === 0x80) throw new Error('it is BER with open lengths, not DER');
  if (bytes.length < head + length) throw new Error('it ends in the middle');
  return { tag, content: bytes.subarray(head, head + length), whole: bytes.subarray(0, head + length) };
}

/** Element by element down into sequences: `within(sequence, 1, 0)` is the first of its second. */
export function within(element: Der, ...places: number[]): Der {
  if (places.length > DEEPEST) throw new Error('it is nested too deeply');
  return places.reduce((outer, place) => {
    const inner = readAll(outer.content)[place];
    if (inner === undefined) throw new Error('a part of it is missing');
    return inner;
  }, element);
}

/** `1.2.840.113549.1.7.1` */
export function objectId({ tag, content }: Der): string {
  if (tag !== 0x06) throw new Error('an object identifier is missing');
  const arcs: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    arcs.push(value);
    value = 0;
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join('.');
}

export function integer({ tag, content }: Der): number {
  if (tag !== 0x02 || content.length > 5) throw new Error('a number is missing');
  return content.length === 0 ? 0 : content.readUIntBE(0, content.length);
}
