import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseAddress } from '../../src/base/address.ts';
import { joinServer } from '../../src/node/join.ts';
import type { SessionRequest } from '../../src/protocol/link.ts';
import { type FakeLink, type FakeServer, until } from './fake-server.ts';

/** A joined node with the real drivers, in a process that can be killed and started again on the same port. */
export class ChildNode implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  pin = '';
  port = 0;
  readonly #server: FakeServer;
  #process: ChildProcess | undefined;
  readonly #sessions: { cloud: string; request: SessionRequest }[] = [];

  constructor(server: FakeServer, name: string, folder: string) {
    this.#server = server;
    this.name = name;
    this.folder = folder;
  }

  static async start(server: FakeServer, name: string): Promise<ChildNode> {
    const folder = await mkdtemp(join(tmpdir(), `cloudspan-${name}-`));
    const child = new ChildNode(server, name, folder);
    await joinServer({ folder, name, token: server.token(), link: 'dial-home', public: false });
    await child.#run();
    return child;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  link(): FakeLink | undefined {
    const link = this.#server.links.get(this.pin);
    return link?.open ? link : undefined;
  }

  async openSession(cloud: string, request: SessionRequest): Promise<void> {
    if (!this.#sessions.some((one) => one.cloud === cloud)) this.#sessions.push({ cloud, request });
    await (await until(() => this.link())).ask('PUT', `/clouds/${cloud}/session`, request);
  }

  /** SIGKILL, then a new process, which gets its sessions again as from a server that notices. */
  async killAndRestart(): Promise<void> {
    await this.#kill();
    await this.#run();
    for (const { cloud, request } of this.#sessions) await this.openSession(cloud, request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    this.#server.links.delete(this.pin);
  }

  async #run(): Promise<void> {
    const main = join(import.meta.dirname, '../../src/main.ts');
    const listen = `127.0.0.1:${this.port}`;
    const flags = ['node', '--data', this.folder, '--name', this.name, '--listen', listen, '--json'];
    const child = spawn(process.execPath, [main, ...flags], {
      stdio: ['ignore', 'pipe', process.env.TEST_LOG === undefined ? 'ignore' : 'inherit'],
      env: { ...process.env, CLOUDSPAN_LOG: process.env.TEST_LOG ?? 'silent' },
    });
    this.#process = child;
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
    const said = JSON.parse(line) as { pin: string; address: string };
    this.pin = said.pin;
    this.port = parseAddress(said.address).port;
    await until(() => this.link());
  }
}
