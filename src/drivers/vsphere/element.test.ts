import { expect, test } from 'vitest';
import { child, parseDocument, refOf, textOf } from './element.ts';
import { element, escapeText, leaf, reference, typed, written } from './soap.ts';

const XSI = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:s="http://www.w3.org/2001/XMLSchema"';

test('types are found under any prefix, and references keep theirs', () => {
  const top = parseDocument(
    `<a ${XSI} xmlns="urn:vim25"><device i:type="VirtualDisk"><key>7</key></device><val i:type="s:int">3</val>` +
      '<obj type="VirtualMachine">vm-1</obj></a>',
    'test',
  );
  expect(child(top, 'device')?.type).toBe('VirtualDisk');
  expect(child(top, 'val')?.type).toBe('xsd:int');
  expect(refOf(top, 'obj')).toEqual({ type: 'VirtualMachine', id: 'vm-1' });
  expect(textOf(top, 'device', 'key')).toBe('7');
});

test('text keeps spaces, line breaks and characters that were written as references', () => {
  const top = parseDocument('<a><n>  x &lt;&#10;&amp; &#x20AC;<![CDATA[ <raw> ]]></n></a>', 'test');
  expect(textOf(top, 'n')).toBe('  x <\n& € <raw> ');
});

test('a document type, an unknown entity and broken XML are refused', () => {
  for (const text of ['<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', '<a>&nbsp;</a>', '<a><b></a>', '']) {
    expect(() => parseDocument(text, 'test')).toThrowError(/not the XML of the vSphere API/);
  }
});

test('what the server made is given back to it as it came, in its order', () => {
  const text =
    '<spec xsi:type="VirtualMachineImportSpec"><configSpec><name>a &amp; b</name><x xsi:type="xsd:string">1</x></configSpec>' +
    '<resPoolEntity type="ResourcePool">resgroup-1</resPoolEntity></spec>';
  const declared = text.replace(
    '<spec',
    `<spec xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"`,
  );
  expect(written(parseDocument(declared, 'test'))).toBe(text);
});

test('elements are written in the order that is given, without those that have no value', () => {
  const text = element(
    'spec',
    leaf('a', 1),
    leaf('b', undefined),
    reference('c', { type: 'T', id: 'x' }),
    typed('d', 'D'),
  );
  expect(text).toBe('<spec><a>1</a><c type="T">x</c><d xsi:type="D"></d></spec>');
});

test('characters that XML cannot carry are replaced', () => {
  expect(escapeText('a\u0000b\u0007c\ud800d')).toBe('a\ufffdb\ufffdc\ufffdd');
  expect(escapeText('<&>"\r\n😀')).toBe('&lt;&amp;&gt;&quot;&#13;\n😀');
});
