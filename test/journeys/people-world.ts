import { once } from 'node:events';
import { request } from 'node:https';
import type { Role } from '../../src/model/rights.ts';
import type { ServerEvent } from '../../src/protocol/api.ts';
import { type Client, createClient } from '../../src/protocol/client.ts';
import type { FakeNode } from './server-fake-node.ts';
import { type ServerInstallation, send } from './server-installation.ts';
import { machine } from './server-toy-cloud.ts';
import { startToyPair } from './server-toy-pair.ts';

/** A server with two clouds, `a` and `b`, each next to a node of its own and with a folder `secret` of one machine. */
export interface PeopleWorld extends AsyncDisposable {
  server: ServerInstallation;
  left: FakeNode;
  right: FakeNode;
  /** A new account and a client that is signed in as it. */
  person(name: string, role?: Role): Promise<{ client: Client; token: string; password: string }>;
  /** Signs in, or acts by the given token. */
  as(token: string): Client;
  /** What the event stream tells until `stop`. */
  listen(token: string): Promise<{ seen: ServerEvent[]; stop(): void }>;
}

export async function startPeopleWorld(): Promise<PeopleWorld> {
  const pair = await startToyPair((nodes) => {
    for (const node of nodes) {
      const folder = { id: 'folder-secret', kind: 'folder' as const, name: 'secret', parent: 'folder-vm' };
      node.objects.push(
        { ...folder, abilities: ['hold-machines'] },
        { ...machine('vm-secret', 'payroll'), parent: 'folder-secret' },
        { ...machine('vapp-shop', 'shop'), kind: 'vapp' },
        { ...machine('vm-shop', 'shop-db'), parent: 'vapp-shop' },
      );
    }
  });
  const { server, left, right } = pair;
  const { client } = server;
  const as = (bearer: string) => createClient((question) => send(server.ready.url, question, bearer));
  return {
    server,
    left,
    right,
    as,
    async person(name, role = 'operator') {
      const password = `a long word of the person ${name.length} ${'xyz'.repeat(2)}`;
      await client.createAccount({ body: { name, role, password } });
      const session = await as('').login({ body: { user: name, password } });
      return { client: as(session.token), token: session.token, password };
    },
    async listen(bearer) {
      const seen: ServerEvent[] = [];
      const stream = request(`${server.ready.url}/api/v1/events`, {
        rejectUnauthorized: false,
        headers: { authorization: `Bearer ${bearer}` },
      });
      stream.on('response', (answer) => {
        answer.setEncoding('utf8').on('data', (text: string) => {
          for (const [, data] of text.matchAll(/^data: (.*)$/gm)) seen.push(JSON.parse(data ?? '') as ServerEvent);
        });
      });
      stream.on('error', () => {});
      stream.end();
      await once(stream, 'response');
      return { seen, stop: () => void stream.destroy() };
    },
    [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose](),
  };
}
