import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../src/base/log.ts';
import { type NodeOptions, type RunningNode, startNode } from '../../src/node/agent.ts';
import { joinServer } from '../../src/node/join.ts';
import { type FakeLink, FakeServer, until } from './fake-server.ts';
import { type MemoryWorld, memoryDriver, memoryWorld } from './memory-cloud.ts';

export interface Member {
  readonly world: MemoryWorld;
  readonly folder: string;
  node: RunningNode;
  /** `host:port` where peers dial it. */
  readonly address: string;
  link(): FakeLink | undefined;
  /** Signs this node in to its cloud, under the node's name. */
  openSession(): Promise<unknown>;
  /** Closes the node and starts it again on the same port. */
  restart(): Promise<void>;
}

/** A server and nodes that are joined to it, each with a cloud in memory of the same name. */
export class Fleet implements AsyncDisposable {
  readonly server: FakeServer;
  readonly #members: Member[] = [];
  readonly #folders: string[] = [];

  constructor(server: FakeServer) {
    this.server = server;
  }

  static async start(): Promise<Fleet> {
    return new Fleet(await FakeServer.start());
  }

  async add(name: string, options: Partial<NodeOptions> = {}): Promise<Member> {
    const folder = await mkdtemp(join(tmpdir(), `cloudspan-${name}-`));
    this.#folders.push(folder);
    const world = memoryWorld();
    const { server } = this;
    await joinServer({ folder, name, token: server.token(), link: 'dial-home', public: false });
    const start = (port: number) =>
      startNode({
        folder,
        name,
        listen: { host: '127.0.0.1', port },
        log: createLog(name, process.env.TEST_LOG ?? 'silent'),
        drivers: [memoryDriver({ [name]: world })],
        ...options,
      });
    const node = await start(0);
    const port = node.address?.port ?? 0;
    const member: Member = {
      world,
      folder,
      node,
      address: `127.0.0.1:${port}`,
      link: () => server.links.get(member.node.pin),
      openSession: async () => {
        const settings = { driver: 'memory', label: name, owner: 'team', options: { world: name, password: 'right' } };
        const trust = { kind: 'pin', sha256: '0'.repeat(64) };
        return (await until(() => member.link())).ask('PUT', `/clouds/${name}/session`, { ...settings, trust });
      },
      restart: async () => {
        await member.node.close();
        server.links.delete(member.node.pin);
        member.node = await start(port);
        await until(() => member.link());
      },
    };
    this.#members.push(member);
    await until(() => member.link());
    return member;
  }

  /** A ticket from one to the other; who dials is told. */
  ticket(
    source: Member,
    destination: Member,
    dialer: 'source' | 'destination',
    change: { expires?: string; transfer?: string } = {},
  ): string {
    const address = dialer === 'source' ? destination.address : source.address;
    const pins = { source: source.node.pin, destination: destination.node.pin };
    return this.server.ticket({ transfer: 't-1', dialer, address, ...pins, ...change });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member.node.close()));
    await this.server[Symbol.asyncDispose]();
    await Promise.all(this.#folders.map((folder) => rm(folder, { recursive: true, force: true })));
  }
}
