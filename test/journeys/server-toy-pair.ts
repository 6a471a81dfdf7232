import { type FakeNode, startFakeNode } from './server-fake-node.ts';
import { type ServerInstallation, startServerProcess, until } from './server-installation.ts';

/** With which a toy cloud lets anybody in. */
export const trust = { kind: 'pin', sha256: '0'.repeat(64) } as const;
export const options = { url: 'https://toy.invalid', password: 'right' };

/** A server process with two toy clouds: `a` next to the node `left`, `b` next to `right`, which is public. */
export interface ToyPair extends AsyncDisposable {
  server: ServerInstallation;
  left: FakeNode;
  right: FakeNode;
}

/** @param prepare Given the nodes before their clouds are added. */
export async function startToyPair(prepare: (nodes: FakeNode[]) => void = () => {}): Promise<ToyPair> {
  await using stack = new AsyncDisposableStack();
  const server = await startServerProcess();
  stack.defer(() => server.close());
  const { client } = server;
  const token = async () => (await client.createJoinToken({ body: {} })).token;
  const left = await startFakeNode('left', await token());
  stack.defer(() => left.close());
  const right = await startFakeNode('right', await token(), { public: true });
  stack.defer(() => right.close());
  prepare([left, right]);
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
  const all = stack.move();
  return { server, left, right, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
