import { expect, test } from 'vitest';
import { readEnvelope, readParameters } from './envelope.ts';

function read(type: string, body: string): unknown {
  const request = readEnvelope(
    `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><Body>${body}</Body></Envelope>`,
  );
  return readParameters(request, type);
}

const LOGIN = (inner: string) =>
  `<Login xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this>${inner}</Login>`;

test('parameters in the order of the schema are read', () => {
  expect(read('SessionManager', LOGIN('<userName>a</userName><password>b</password><locale>en</locale>'))).toEqual({
    userName: 'a',
    password: 'b',
    locale: 'en',
  });
});

test('parameters out of the order of the schema are an InvalidRequest', () => {
  expect(() => read('SessionManager', LOGIN('<password>b</password><userName>a</userName>'))).toThrow(
    /Required property userName|out of the order/,
  );
});

test('an unknown element and a missing required one are an InvalidRequest', () => {
  expect(() =>
    read('SessionManager', LOGIN('<userName>a</userName><password>b</password><colour>red</colour>')),
  ).toThrow(/Unexpected element tag "colour"/);
  expect(() => read('SessionManager', LOGIN('<userName>a</userName>'))).toThrow(
    /Required property password is missing/,
  );
});

test('members of a data object out of order are refused, in a nested one too', () => {
  const reconfigure = (spec: string) =>
    `<ReconfigVM_Task xmlns="urn:vim25"><_this type="VirtualMachine">vm-1</_this><spec>${spec}</spec></ReconfigVM_Task>`;
  expect(read('VirtualMachine', reconfigure('<name>n</name><numCPUs>2</numCPUs><memoryMB>8</memoryMB>'))).toEqual({
    spec: { name: 'n', numCPUs: 2, memoryMB: 8 },
  });
  expect(() => read('VirtualMachine', reconfigure('<memoryMB>8</memoryMB><numCPUs>2</numCPUs>'))).toThrow(
    /"numCPUs" seen, out of the order/,
  );
  const device =
    '<deviceChange><operation>add</operation><device xsi:type="VirtualDisk"><capacityInKB>1</capacityInKB><key>-1</key></device></deviceChange>';
  expect(() => read('VirtualMachine', reconfigure(device))).toThrow(/key/);
});

test('a method that is unknown, or known on another type only, cannot be resolved', () => {
  expect(() =>
    read('VirtualMachine', '<Dance xmlns="urn:vim25"><_this type="VirtualMachine">vm-1</_this></Dance>'),
  ).toThrow(/Unable to resolve WSDL method name Dance/);
  expect(() =>
    read('Folder', '<PowerOnVM_Task xmlns="urn:vim25"><_this type="Folder">group-1</_this></PowerOnVM_Task>'),
  ).toThrow(/Unable to resolve/);
});

test('a value outside its enumeration, a wrong xsi:type and a document type are refused', () => {
  const change = (inner: string) =>
    `<ReconfigVM_Task xmlns="urn:vim25"><_this type="VirtualMachine">vm-1</_this><spec><deviceChange>${inner}</deviceChange></spec></ReconfigVM_Task>`;
  expect(() =>
    read('VirtualMachine', change('<operation>paint</operation><device xsi:type="VirtualDisk"><key>1</key></device>')),
  ).toThrow(/not a value of the enumeration/);
  expect(() =>
    read(
      'VirtualMachine',
      change('<operation>add</operation><device xsi:type="Description"><label>a</label></device>'),
    ),
  ).toThrow(/is not a "VirtualDevice"/);
  expect(() => readEnvelope('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')).toThrow(
    /document type/,
  );
});
