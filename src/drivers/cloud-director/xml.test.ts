import { expect, test } from 'vitest';
import { Fault } from '../../model/fault.ts';
import { at, body, childrenOf, linkOf, parseXml, tag, textAt } from './xml.ts';

test('elements are called by the same name whatever prefix the document uses', () => {
  const plain = parseXml(
    '<Vm xmlns="http://www.vmware.com/vcloud/v1.5" xmlns:o="http://schemas.dmtf.org/ovf/envelope/1"><o:Item/></Vm>',
    't',
  );
  const prefixed = parseXml(
    '<v:Vm xmlns:v="http://www.vmware.com/vcloud/v1.5"><Item xmlns="http://schemas.dmtf.org/ovf/envelope/1"/></v:Vm>',
    't',
  );
  expect(prefixed).toEqual(plain);
  expect(plain.name).toBe('Vm');
  expect(plain.children[0]?.name).toBe('ovf:Item');
});

test('an attribute of the vcloud namespace is told from one without a namespace', () => {
  const element = parseXml('<H xmlns:v="http://www.vmware.com/vcloud/v1.5" v:capacity="1" capacity="2"/>', 't');
  expect(element.attributes).toEqual({ 'vcloud:capacity': '1', capacity: '2' });
});

test('what is written is read back unchanged, markup and line ends in names included', () => {
  const name = 'a<b>&"\'\n\r\té😀 ]]>';
  const read = parseXml(body('VApp', { name }, tag('Description', {}, name)), 't');
  expect(read.attributes.name).toBe(name);
  expect(read.children[0]?.text).toBe(name);
});

test('a document type is refused, so that no entity can be defined', () => {
  const document = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>';
  expect(() => parseXml(document, 'cloud-director c: read')).toThrow(Fault);
});

test('an entity that XML does not know stays as it was written', () => {
  expect(parseXml('<a>&amp;x; &#65;&#x42; &other;</a>', 't').text).toBe('&x; AB &other;');
});

test('character data that is marked as such is not decoded', () => {
  expect(parseXml('<a>1<![CDATA[<&amp;>]]>2</a>', 't').text).toBe('1<&amp;>2');
});

test('something that is no XML is a fault of the protocol', () => {
  for (const text of ['', 'Service Unavailable', '{"a":1}']) {
    expect(() => parseXml(text, 't')).toThrow(expect.objectContaining({ code: 'cloud.protocol' }));
  }
});

test('links are found by rel and by type in any case', () => {
  const element = parseXml(
    '<a><Link rel="up" type="application/X" href="1"/><Link rel="up" type="application/y" href="2"/></a>',
    't',
  );
  expect(linkOf(element, 'up')).toBe('1');
  expect(linkOf(element, 'up', 'APPLICATION/Y')).toBe('2');
  expect(linkOf(element, 'down')).toBeUndefined();
});

test('a path ends in the first element of each name', () => {
  const element = parseXml('<a><b><c> 1 </c><c>2</c></b></a>', 't');
  expect(textAt(element, 'b', 'c')).toBe('1');
  expect(childrenOf(at(element, 'b'), 'c')).toHaveLength(2);
  expect(at(element, 'x', 'c')).toBeUndefined();
});
