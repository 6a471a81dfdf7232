import { request as httpsRequest } from 'node:https';
import { type Element, parseXml } from './soap/element.ts';

export type Answer = { status: number; headers: Record<string, string | string[] | undefined>; body: Buffer };

/** One HTTPS request that does not look at the certificate; for the tests of this folder. */
export function send(
  method: string,
  url: string,
  headers: Record<string, string> = {},
  body?: Buffer | string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(url, { method, headers, rejectUnauthorized: false, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** A hand-written vim25 client, so that the tests share nothing with the server's own encoder. */
export class SoapClient {
  readonly url: string;
  cookie = '';

  constructor(url: string) {
    this.url = url;
  }

  async raw(method: string, self: string, inner: string): Promise<Answer> {
    const [type, id] = self.split(' ');
    const body = `<?xml version="1.0"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><Body><${method} xmlns="urn:vim25"><_this type="${type}">${id ?? type}</_this>${inner}</${method}></Body></Envelope>`;
    const answer = await send(
      'POST',
      `${this.url}/sdk`,
      { 'content-type': 'text/xml', soapaction: 'urn:vim25/8.0.3.0', cookie: this.cookie },
      body,
    );
    const set = answer.headers['set-cookie']?.[0];
    if (set) this.cookie = set.split(';')[0] ?? '';
    return answer;
  }

  /** Calls and gives the `…Response` element; throws an Error named after the fault. */
  async call(method: string, self: string, inner = ''): Promise<Element> {
    const answer = await this.raw(method, self, inner);
    const content = parseXml(answer.body.toString()).children[0]?.children[0];
    if (!content) throw new Error('no SOAP body');
    if (content.name !== 'Fault') return content;
    const error = new Error(at(content, 'faultstring')?.text ?? '');
    error.name = at(content, 'detail')?.children[0]?.attributes.get('type') ?? 'Fault';
    throw error;
  }

  login(user: string, password: string): Promise<Element> {
    return this.call('Login', 'SessionManager', `<userName>${user}</userName><password>${password}</password>`);
  }

  /** One property of one object, as the element that holds it. */
  async get(self: string, path: string): Promise<Element | undefined> {
    const [type, id] = self.split(' ');
    const found = await this.call(
      'RetrieveProperties',
      'PropertyCollector propertyCollector',
      `<specSet><propSet><type>${type}</type><pathSet>${path}</pathSet></propSet><objectSet><obj type="${type}">${id}</obj></objectSet></specSet>`,
    );
    return at(found, 'returnval/propSet/val');
  }

  /** Waits for a task; gives its info, with its state. */
  async task(started: Element): Promise<{ state: string; info: Element }> {
    for (;;) {
      const info = await this.get(`Task ${at(started, 'returnval')?.text}`, 'info');
      const state = at(info, 'state')?.text ?? '';
      if (info && (state === 'success' || state === 'error')) return { state, info };
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async find(path: string): Promise<string> {
    const found = await this.call('FindByInventoryPath', 'SearchIndex', `<inventoryPath>${path}</inventoryPath>`);
    const value = at(found, 'returnval');
    return value ? `${value.attributes.get('type')} ${value.text}` : '';
  }
}

/** The first element at a path of names. */
export function at(of: Element | undefined, path: string): Element | undefined {
  return path.split('/').reduce<Element | undefined>((now, name) => now?.children.find((one) => one.name === name), of);
}

export function each(of: Element | undefined, name: string): Element[] {
  return of?.children.filter((one) => one.name === name) ?? [];
}
