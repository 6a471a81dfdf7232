import { randomBytes } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../model/fault.ts';
import type { CloudView } from '../../protocol/api/clouds.ts';
import { Processes } from '../demo/processes.ts';
import type { Connection } from '../session.ts';
import { forgetState, type OfflineState, readState, untilGone, writeState } from './state.ts';

export interface CarrierOptions {
  connection: Connection;
  /** Where the node keeps its key and its storage until all is done. */
  folder: string;
  /** Folder or file that it may read and write, or an https address. */
  packages: string;
  passphrase?: string;
  /** SHA-256 of the certificate of what `packages` names, when that is an address. */
  fingerprint?: string;
  /** `host:port` under which other nodes dial it; it dials them when left out. */
  listen?: string;
}

const LINK_SECONDS = 60;

/**
 * A node on this machine for as long as one export or import takes, with one folder as its cloud. Disposing ends its
 * process and keeps what the next one needs to go on; `leave` forgets everything.
 */
export class Carrier implements AsyncDisposable {
  readonly #options: CarrierOptions;
  readonly #processes: Processes;
  readonly #log: WriteStream;
  state: OfflineState;

  private constructor(options: CarrierOptions, state: OfflineState) {
    this.#options = options;
    this.#log = createWriteStream(join(options.folder, 'node.log'), { flags: 'a' });
    this.#log.on('error', () => {});
    this.#processes = new Processes([process.execPath, process.argv[1] ?? ''], this.#log);
    this.state = state;
  }

  /** Starts the node, or the one of an interrupted command again, and waits until the server sees it. */
  static async start(options: CarrierOptions): Promise<Carrier> {
    const { connection, folder } = options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    let before = await readState(folder);
    await untilGone(folder, before?.pid);
    if (before !== null && before.server !== connection.server) {
      throw new Fault('job.state', `an export or import with ${before.server} was interrupted here`, {
        remedy: `Sign in there and repeat it, or remove ${folder} to give it up.`,
      });
    }
    if (before?.node !== undefined) {
      const { nodes } = await connection.client.listNodes({});
      // The server has forgotten the node: nothing is left to go on with.
      if (!nodes.some(({ id }) => id === before?.node)) before = null;
      if (before === null) await forgetState(folder);
      await mkdir(folder, { recursive: true, mode: 0o700 });
    }
    const carrier = new Carrier(options, before ?? { server: connection.server });
    try {
      await carrier.#start();
      return carrier;
    } catch (error) {
      await carrier[Symbol.asyncDispose]();
      throw error;
    }
  }

  async keep(change: Partial<OfflineState>): Promise<void> {
    this.state = { ...this.state, ...change };
    await writeState(this.#options.folder, this.state);
  }

  /** Public key of the node: SPKI in base64. */
  async publicKey(): Promise<string> {
    const { nodes } = await this.#options.connection.client.listNodes({});
    const key = nodes.find(({ id }) => id === this.state.node)?.publicKey;
    if (key === undefined) throw new Fault('cloud.unsupported', 'the server is too old to tell the keys of its nodes');
    return key;
  }

  /** The folder as a cloud of the server, its inventory read. */
  async cloud(options: Record<string, string>): Promise<CloudView> {
    const { client } = this.#options.connection;
    const { clouds } = await client.listClouds({});
    let cloud = clouds.find(({ id }) => id === this.state.cloud);
    if (cloud === undefined) {
      cloud = await client.addCloud({
        body: {
          name: `offline-${randomBytes(4).toString('hex')}`,
          node: this.state.node ?? '',
          driver: 'folder',
          options: { folder: this.#options.packages, ...options },
          trust: { kind: 'pin', sha256: '0'.repeat(64) },
        },
      });
      await this.keep({ cloud: cloud.id });
    }
    const { id } = cloud;
    return this.#until(async () => {
      const found = (await client.listClouds({})).clouds.find((one) => one.id === id);
      if (found?.state === 'failed' && found.fault !== undefined) throw Fault.fromReport(found.fault);
      return found?.state === 'connected' && found.objects > 0 ? found : undefined;
    }, 'the server does not see what is in the folder');
  }

  /** Everything is done: the cloud and the node are forgotten, nothing stays but what was made. */
  async leave(): Promise<void> {
    const { client } = this.#options.connection;
    const { cloud, node } = this.state;
    if (cloud !== undefined) await client.removeCloud({ cloud }).catch(notMissing);
    if (node !== undefined) await client.removeNode({ node }).catch(notMissing);
    await this[Symbol.asyncDispose]();
    await forgetState(this.#options.folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#processes[Symbol.asyncDispose]();
    this.#log.end();
  }

  async #start(): Promise<void> {
    const { connection, folder, packages, passphrase, fingerprint, listen } = this.#options;
    const { client } = connection;
    const address = new URL(connection.server).host;
    const known = this.state.node;
    const name = `offline-${hostname().slice(0, 40)}-${randomBytes(3).toString('hex')}`;
    const words = ['node', ...(known === undefined ? ['join', address, '--name', name] : [])];
    words.push('--data', folder, '--packages', packages, '--json', '--exit-with-stdin');
    if (fingerprint !== undefined) words.push('--packages-fingerprint', fingerprint);
    if (listen !== undefined) words.push('--listen', this.state.address ?? listen);
    if (listen !== undefined && known === undefined) words.push('--public');
    const environment: Record<string, string> =
      passphrase === undefined ? {} : { CLOUDSPAN_PACKAGE_PASSPHRASE: passphrase };
    if (known === undefined) {
      environment.CLOUDSPAN_JOIN_TOKEN = (await client.createJoinToken({ body: { address } })).token;
    }
    const { ready, child } = await this.#processes.start<{ ready: true; pin: string; address?: string }>(
      'the node',
      words,
      environment,
    );
    await this.keep({
      ...(child.pid === undefined ? {} : { pid: child.pid }),
      ...(ready.address === undefined ? {} : { address: ready.address }),
    });
    const node = await this.#until(async () => {
      const { nodes } = await client.listNodes({});
      return nodes.find(
        ({ pin, connected, drivers }) =>
          pin === ready.pin && connected && drivers.some((driver) => driver.name === 'folder'),
      );
    }, 'the node of this machine gets no link to the server');
    await this.keep({ node: node.id });
  }

  async #until<T>(ask: () => Promise<T | undefined>, otherwise: string): Promise<T> {
    for (const end = Date.now() + LINK_SECONDS * 1000; ; await sleep(200)) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      if (Date.now() > end) {
        throw new Fault('node.unreachable', `${otherwise} after ${LINK_SECONDS} s`, {
          remedy: `Look into ${join(this.#options.folder, 'node.log')}.`,
        });
      }
    }
  }
}

function notMissing(error: unknown): void {
  if (!(error instanceof Fault) || error.code !== 'object.missing') throw error;
}
