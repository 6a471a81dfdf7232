import { findCall, knowsMethod } from '../schema/types.ts';
import type { Data, Ref, Value } from '../value.ts';
import { invalidRequest, type VimFault } from '../vim-fault.ts';
import { decodeMembers } from './decode.ts';
import { type Element, escapeXml, parseXml, XmlError } from './element.ts';
import { encodeMember, encodeMembers } from './encode.ts';

export const MAX_REQUEST_BYTES = 32 * 1024 * 1024;
const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';

export type Request = { method: string; target: Ref; body: Element };

/** Finds the call in a SOAP envelope without reading its parameters, so that who calls can be checked first. */
export function readEnvelope(source: string): Request {
  let root: Element;
  try {
    root = parseXml(source);
  } catch (error) {
    if (error instanceof XmlError)
      throw invalidRequest(`XML document is not readable: ${error.message}\n\nwhile parsing SOAP envelope`);
    throw error;
  }
  if (root.name !== 'Envelope' || root.space !== SOAP)
    throw invalidRequest(`Unexpected element "${root.name}", expected a SOAP envelope`);
  const call = root.children.find((child) => child.name === 'Body' && child.space === SOAP)?.children[0];
  if (!call) throw invalidRequest('The SOAP body is empty');
  if (call.space !== 'urn:vim25')
    throw invalidRequest(`Unsupported namespace "${call.space}" of ${call.name}, expected urn:vim25`);
  const self = call.children[0];
  if (self?.name !== '_this')
    throw invalidRequest(`Unexpected element tag "${self?.name ?? ''}" seen, expected "_this"`);
  const type = self.attributes.get('type') ?? '';
  return { method: call.name, target: { _ref: type, id: self.text.trim() }, body: call };
}

/** Reads the parameters of a call on an object of the given type, in the schema's order. */
export function readParameters(request: Request, type: string): Data {
  const call = findCall(type, request.method);
  if (!call) {
    const what = knowsMethod(request.method) ? `has no method ${request.method}` : 'cannot be called';
    throw invalidRequest(`Unable to resolve WSDL method name ${request.method}: ${type} ${what}`);
  }
  const parameters = { ...request.body, children: request.body.children.slice(1) };
  return decodeMembers(parameters, call.parameters, `parameters of ${type}.${request.method}`);
}

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
  '<soapenv:Envelope xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" ' +
  'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" ' +
  'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n<soapenv:Body>\n';
const TAIL = '\n</soapenv:Body>\n</soapenv:Envelope>';

/** A value that is already written as the inside of `returnval`; the PropertyCollector writes its own. */
export class Written {
  readonly xml: string | undefined;
  constructor(xml: string | undefined) {
    this.xml = xml;
  }
}

export function writeAnswer(type: string, method: string, result: Value | Written): string {
  const call = findCall(type, method);
  let body = '';
  if (result instanceof Written) body = result.xml ?? '';
  else if (call && call.result.type !== 'void') body = encodeMember(call.result, result);
  return `${HEAD}<${method}Response xmlns="urn:vim25">${body}</${method}Response>${TAIL}`;
}

export function writeFault(fault: VimFault): string {
  const detail = encodeMembers(fault.detail, fault.type);
  return (
    `${HEAD}<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>${escapeXml(fault.message)}</faultstring>` +
    `<detail><${fault.type}Fault xmlns="urn:vim25" xsi:type="${fault.type}">${detail}</${fault.type}Fault></detail></soapenv:Fault>${TAIL}`
  );
}
