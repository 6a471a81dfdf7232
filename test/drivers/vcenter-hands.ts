import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Vcenter } from '../../sims/vcenter/index.ts';

/** Where a lab is and who may use it. */
export type LabDoor = Pick<Vcenter, 'url' | 'user' | 'password' | 'labKey'>;

interface LabState {
  leases: unknown[];
  faults: { rule: { method?: string }; seen: number }[];
}

const FIELDS =
  '<specSet><propSet><type>CustomFieldsManager</type><pathSet>field</pathSet></propSet>' +
  '<objectSet><obj type="CustomFieldsManager">CustomFieldsManager</obj></objectSet></specSet><options/>';

/** Reaches into a lab vCenter behind a driver's back: by SOAP written out by hand, and by the lab's own door. */
export class VcenterHands {
  readonly #lab: LabDoor;
  readonly #agent: Agent;

  constructor(lab: LabDoor) {
    this.#lab = lab;
    this.#agent = new Agent({ rejectUnauthorized: false, keepAlive: true });
  }

  close(): void {
    this.#agent.destroy();
  }

  async state(): Promise<LabState> {
    return JSON.parse((await this.#send('GET', '/lab/state', '', { 'x-lab-key': this.#lab.labKey })).text) as LabState;
  }

  async lab(action: string, body: unknown): Promise<void> {
    const { status, text } = await this.#send('POST', `/lab/${action}`, JSON.stringify(body), {
      'x-lab-key': this.#lab.labKey,
    });
    if (status !== 200) throw new Error(`the lab answered ${status} to ${action}: ${text}`);
  }

  /** Logins since the rules were set. */
  async loginsSeen(): Promise<number> {
    return (await this.state()).faults.find(({ rule }) => rule.method === 'Login')?.seen ?? 0;
  }

  /** Id of the object at an inventory path. */
  async find(names: readonly string[]): Promise<string> {
    const path = escaped(names.map((name) => name.replaceAll('%', '%25').replaceAll('/', '%2f')).join('/'));
    const answer = await this.#signedIn((cookie) =>
      this.#soap('FindByInventoryPath', 'SearchIndex', 'SearchIndex', `<inventoryPath>${path}</inventoryPath>`, cookie),
    );
    const id = />([^<]+)<\/returnval>/.exec(answer)?.[1];
    if (id === undefined) throw new Error(`there is nothing at ${names.join('/')}`);
    return id;
  }

  /** A property as text. */
  async property(type: string, id: string, path: string): Promise<string> {
    const spec =
      `<specSet><propSet><type>${type}</type><pathSet>${path}</pathSet></propSet>` +
      `<objectSet><obj type="${type}">${id}</obj></objectSet></specSet><options/>`;
    const answer = await this.#signedIn((cookie) =>
      this.#soap('RetrievePropertiesEx', 'PropertyCollector', 'propertyCollector', spec, cookie),
    );
    return />([^<>]*)<\/val>/.exec(answer)?.[1] ?? '';
  }

  /** Sets a custom attribute, which is made where it is not there yet. */
  async setAttribute(type: string, id: string, name: string, value: string): Promise<void> {
    const book = 'CustomFieldsManager';
    await this.#signedIn(async (cookie) => {
      const known = await this.#soap('RetrievePropertiesEx', 'PropertyCollector', 'propertyCollector', FIELDS, cookie);
      const key = (text: string) => new RegExp(`<key>(\\d+)</key><name>${name}</name>`).exec(text)?.[1];
      const made =
        key(known) ?? key(await this.#soap('AddCustomFieldDef', book, book, `<name>${name}</name>`, cookie)) ?? '';
      const set = `<entity type="${type}">${id}</entity><key>${made}</key><value>${escaped(value)}</value>`;
      return await this.#soap('SetField', book, book, set, cookie);
    });
  }

  /** A call that answers at once. */
  async plain(method: string, type: string, id: string, content = ''): Promise<void> {
    await this.#signedIn((cookie) => this.#soap(method, type, id, content, cookie));
  }

  /** The XML of one property. */
  async document(type: string, id: string, path: string): Promise<string> {
    const spec =
      `<specSet><propSet><type>${type}</type><pathSet>${path}</pathSet></propSet>` +
      `<objectSet><obj type="${type}">${id}</obj></objectSet></specSet><options/>`;
    return this.#signedIn((cookie) =>
      this.#soap('RetrievePropertiesEx', 'PropertyCollector', 'propertyCollector', spec, cookie),
    );
  }

  /** Runs a task to its end. */
  async task(method: string, type: string, id: string, content = ''): Promise<void> {
    await this.#signedIn(async (cookie) => {
      const task = />([^<]+)<\/returnval>/.exec(await this.#soap(method, type, id, content, cookie))?.[1] ?? '';
      const spec =
        '<specSet><propSet><type>Task</type><pathSet>info</pathSet></propSet>' +
        `<objectSet><obj type="Task">${task}</obj></objectSet></specSet><options/>`;
      for (;;) {
        const info = await this.#soap('RetrievePropertiesEx', 'PropertyCollector', 'propertyCollector', spec, cookie);
        if (info.includes('<state>success<')) return info;
        if (info.includes('<state>error<')) throw new Error(`${method} failed: ${info}`);
        await sleep(20);
      }
    });
  }

  async #signedIn(work: (cookie: string) => Promise<string>): Promise<string> {
    const { user, password } = this.#lab;
    const login = `<userName>${escaped(user)}</userName><password>${escaped(password)}</password>`;
    const { cookie } = await this.#call('Login', 'SessionManager', 'SessionManager', login, '');
    try {
      return await work(cookie);
    } finally {
      await this.#call('Logout', 'SessionManager', 'SessionManager', '', cookie);
    }
  }

  async #soap(method: string, type: string, id: string, content: string, cookie: string): Promise<string> {
    return (await this.#call(method, type, id, content, cookie)).text;
  }

  async #call(method: string, type: string, id: string, content: string, cookie: string) {
    const body =
      '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"' +
      ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">' +
      `<soapenv:Body><${method} xmlns="urn:vim25"><_this type="${type}">${id}</_this>${content}</${method}>` +
      '</soapenv:Body></soapenv:Envelope>';
    const answer = await this.#send('POST', '/sdk', body, { 'content-type': 'text/xml', cookie });
    if (answer.status !== 200) throw new Error(`${method} was answered with ${answer.status}: ${answer.text}`);
    return answer;
  }

  #send(method: string, path: string, body: string, headers: Record<string, string>) {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string; cookie: string }>();
    const call = request(new URL(path, this.#lab.url), { method, headers, agent: this.#agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const cookie = (response.headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).join('; ');
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8'), cookie });
      });
    });
    call.on('error', reject);
    call.end(body);
    return promise;
  }
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
