import { once } from 'node:events';
import { request } from 'node:https';
import type { Role } from '../../src/model/rights.ts';
import type { ServerEvent } from '../../src/protocol/api.ts';
import { type Client, createClient } from '../../src/protocol/client.ts';
import { type FakeNode, startFakeNode } from './server-fake-node.ts';
import { type ServerInstallation, send, startServerProcess, until } from './server-installation.ts';
import { machine } from './server-toy-cloud.ts';

export const trust = { kind: 'pin', sha256: '0'.repeat(64) } as const;
export const options = { url: 'https://toy.invalid', password: 'right' };

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
  const server = await startServerProcess();
  const { client } = server;
  const token = async () => (await client.createJoinToken({ body: {} })).token;
  const left = await startFakeNode('left', await token());
  const right = await startFakeNode('right', await token(), { public: true });
  for (const node of [left, right]) {
    const folder = { id: 'folder-secret', kind: 'folder' as const, name: 'secret', parent: 'folder-vm' };
    node.objects.push(
      { ...folder, abilities: ['hold-machines'] },
      { ...machine('vm-secret', 'payroll'), parent: 'folder-secret' },
      { ...machine('vapp-shop', 'shop'), kind: 'vapp' },
      { ...machine('vm-shop', 'shop-db'), parent: 'vapp-shop' },
    );
  }
  await until(
    () => client.listNodes({}),
    ({ nodes }) => nodes.every(({ connected, drivers }) => connected && drivers.length > 0),
  );
  await client.addCloud({ body: { name: 'a', node: 'left', driver: 'toy', options, trust } });
  await client.addCloud({ body: { name: 'b', node: 'right', driver: 'toy', options, trust } });
  await until(
    () => client.listClouds({}),
    ({ clouds }) => clouds.every(({ objects }) => objects > 0),
  );
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
    async [Symbol.asyncDispose]() {
      await left.close();
      await right.close();
      await server.close();
    },
  };
}
