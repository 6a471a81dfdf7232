import { request } from 'node:https';
import type { RunningCloudDirector } from './index.ts';
import { attributeOf, child, parseXml, type XmlElement } from './xml/tree.ts';

/** One answer of the lab, as the lab's own tests look at it. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  text: string;
  xml(): XmlElement;
}

/** A small caller for the lab's own tests: logs in over HTTPS and speaks plain documents, no SDK. */
export class LabClient {
  readonly #cloud: RunningCloudDirector;
  #token = '';

  private constructor(cloud: RunningCloudDirector) {
    this.#cloud = cloud;
  }

  static async login(cloud: RunningCloudDirector): Promise<LabClient> {
    const client = new LabClient(cloud);
    const basic = Buffer.from(`${cloud.user}@${cloud.org}:${cloud.password}`).toString('base64');
    const answer = await client.call('POST', '/cloudapi/1.0.0/sessions', {
      headers: { authorization: `Basic ${basic}` },
    });
    if (answer.status !== 200) throw new Error(`login: ${answer.status} ${answer.text}`);
    client.#token = String(answer.headers['x-vmware-vcloud-access-token']);
    return client;
  }

  call(
    method: string,
    target: string,
    options: { body?: string | Buffer; headers?: Record<string, string>; version?: string } = {},
  ): Promise<Answer> {
    const url = new URL(target, this.#cloud.url);
    const headers: Record<string, string> = {
      accept: `application/*+xml;version=${options.version ?? '37.0'}`,
      ...(this.#token === '' ? {} : { authorization: `Bearer ${this.#token}` }),
      'content-length': String(Buffer.byteLength(options.body ?? '')),
      ...options.headers,
    };
    return new Promise((resolve, reject) => {
      const call = request(url, { method, headers, rejectUnauthorized: false, agent: false }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(parts);
          const text = bytes.toString('utf8');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes,
            text,
            xml: () => parseXml(text),
          });
        });
      });
      call.on('error', reject);
      call.end(options.body);
    });
  }

  async get(target: string): Promise<XmlElement> {
    const answer = await this.call('GET', target);
    if (answer.status !== 200) throw new Error(`GET ${target}: ${answer.status} ${answer.text}`);
    return answer.xml();
  }

  /** Waits for the task in an answer (or inside its entity) and returns it in its last state. */
  async settled(answer: Answer): Promise<XmlElement> {
    const root = answer.xml();
    const task = root.local === 'Task' ? root : child(child(root, 'Tasks'), 'Task');
    const href = attributeOf(task, 'href');
    if (href === undefined) throw new Error(`no task in ${answer.status} ${answer.text}`);
    return this.task(href);
  }

  async task(href: string): Promise<XmlElement> {
    for (;;) {
      const task = await this.get(href);
      if (!['running', 'queued'].includes(attributeOf(task, 'status') ?? '')) return task;
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }
}

/** Links of an entity by rel. */
export function linkOf(entity: XmlElement, rel: string): string {
  const found = entity.children.find((inner) => inner.local === 'Link' && attributeOf(inner, 'rel') === rel);
  const href = attributeOf(found, 'href');
  if (href === undefined) throw new Error(`no link ${rel}`);
  return href;
}
