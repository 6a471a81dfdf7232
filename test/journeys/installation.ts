import { createWriteStream, type WriteStream } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import { addLab, type Lab, newPassword } from '../../src/cli/demo/installation.ts';
import { Processes } from '../../src/cli/demo/processes.ts';
import { type Connection, connectTo } from '../../src/cli/session.ts';
import type { CopyRequest, JobView } from '../../src/protocol/api/jobs.ts';
import { type Gate, type Owns, openGate } from '../reach/gate.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'src/main.ts');
/** Labs run without the `cloudspan lab` in front of them, so that a SIGKILL hits the lab itself. */
const LABS = { vcenter: join(ROOT, 'sims/vcenter/main.ts'), director: join(ROOT, 'sims/cloud-director/main.ts') };
const ENDS = new Set(['succeeded', 'failed', 'cancelled']);

export type PartName = 'vcenter' | 'director' | 'server' | 'source' | 'destination';

interface Ready {
  ready: true;
  url?: string;
  hostUrl?: string;
  fingerprint?: string;
  firstPassword?: string;
  user?: string;
  org?: string;
  address?: string;
}

interface Part {
  name: PartName;
  processes: Processes;
  words: (port: (value: string | undefined) => string) => string[];
  environment: Record<string, string>;
  ready?: Ready;
  process?: { pid: number | undefined; kill(signal: NodeJS.Signals): boolean; exited: Promise<void> };
}

export interface InstallationOptions {
  vcenterWorld: unknown;
  directorWorld: unknown;
  /** GiB of transfer storage of each node. */
  storageLimit?: number;
  /** Called before anything is started; what it answers is called when everything has ended. */
  prepare?: (folder: string) => Promise<() => Promise<void>>;
  /** What a part gets besides its own words and environment. */
  extra?: (name: PartName, folder: string) => { words?: string[]; environment?: Record<string, string> };
  /** What is dialled instead of a target (`host:port`, known once its part runs); there are no gates then. */
  through?: (way: WayName, target: () => string) => Promise<string>;
  /** Of server, nodes and what stands in front of the clouds. Default 127.0.0.1. */
  host?: '127.0.0.1' | '::1';
  /** Default true. */
  publicDestination?: boolean;
  /** Whom a cloud lets in: its own node, or the process of this id, and nobody else. Absent: all but the server and the other node. */
  admits?: 'own-node' | number;
}

/** Who dials whom: nodes the server, `source` its peer, nodes their labs (`host` is the vCenter's ESXi). */
export type WayName = 'source-server' | 'destination-server' | 'peer' | 'vcenter' | 'host' | 'director';

/**
 * A whole Cloudspan in processes of its own: two labs, a server, a node next to each lab (`source` is private, at the
 * vCenter; `destination` is public, at Cloud Director). A gate in front of each cloud lets neither the server nor the
 * other node in; `lab` answers where the cloud is behind it, for what the test itself asks. Every part can be killed and
 * started again on the same ports and folders. Disposing ends all of them and removes the folder.
 */
export class Installation implements AsyncDisposable {
  readonly folder: string;
  readonly #log: WriteStream;
  readonly #processes: Processes;
  readonly #labs: Record<keyof typeof LABS, Processes>;
  readonly #parts = new Map<PartName, Part>();
  readonly gates = new Map<'vcenter' | 'host' | 'director', Gate>();
  #connection: Connection | undefined;
  #release: (() => Promise<void>) | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.#log = createWriteStream(join(folder, 'all.log'), { flags: 'a' });
    this.#processes = new Processes([process.execPath, MAIN], this.#log);
    this.#labs = {
      vcenter: new Processes([process.execPath, LABS.vcenter], this.#log),
      director: new Processes([process.execPath, LABS.director], this.#log),
    };
  }

  static async start(options: InstallationOptions): Promise<Installation> {
    const folder = await mkdtemp(join(tmpdir(), 'cloudspan-test-'));
    // As root, the database runs under another account, which has to walk through.
    await chmod(folder, 0o711);
    const installation = new Installation(folder);
    try {
      await installation.#raise(options);
      return installation;
    } catch (error) {
      const log = await readFile(join(installation.folder, 'all.log'), 'utf8').catch(() => '');
      await installation[Symbol.asyncDispose]();
      throw new Error(`the installation did not come up; its log ends with:\n${log.slice(-4000)}`, { cause: error });
    }
  }

  get client() {
    if (this.#connection === undefined) throw new Error('there is no session');
    return this.#connection.client;
  }

  /** What a person needs to sign in. */
  get account(): { host: string; fingerprint: string; user: string; password: string } {
    const { url = '', fingerprint = '', firstPassword = '' } = this.#part('server').ready ?? {};
    return { host: new URL(url).host, fingerprint, user: 'admin', password: firstPassword };
  }

  /** Tokens with which the nodes have joined. */
  get joinTokens(): string[] {
    return [...this.#parts.values()].flatMap(({ environment }) => environment.CLOUDSPAN_JOIN_TOKEN ?? []);
  }

  lab(name: 'vcenter' | 'director'): Lab {
    const part = this.#part(name);
    const { url = '', user = '', org, fingerprint = '' } = part.ready ?? {};
    const kind = name === 'vcenter' ? ('vcenter' as const) : ('cloud-director' as const);
    const account = { url, username: user, password: part.environment.LAB_PASSWORD ?? '' };
    return {
      ready: { ready: true, kind, url, user, fingerprint, ...(org === undefined ? {} : { org }) },
      driver: name === 'vcenter' ? 'vsphere' : 'cloud-director',
      options: org === undefined ? account : { ...account, organization: org },
    };
  }

  pid(name: PartName): number {
    return this.#part(name).process?.pid ?? 0;
  }

  /** Ends a part and waits until it is gone. */
  async kill(name: PartName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const part = this.#part(name);
    part.process?.kill(signal);
    await part.process?.exited;
    delete part.process;
  }

  /** Resolves when a part has ended by itself (a fault rule made it die). */
  async ended(name: PartName): Promise<void> {
    const part = this.#part(name);
    await part.process?.exited;
    delete part.process;
  }

  /** Starts a part that was killed, on the port that it had unless `port` says another. */
  async revive(name: PartName, port: (known: string | undefined) => string = portOf): Promise<void> {
    const part = this.#part(name);
    const before = part.ready;
    const { ready, child } = await part.processes.start<Ready>(name, part.words(port), part.environment);
    part.ready = { ...before, ...ready };
    part.process = {
      pid: child.pid,
      kill: (signal) => child.kill(signal),
      exited: new Promise((done) => child.once('exit', () => done())),
    };
  }

  /** A call below `/lab` of a lab. */
  async labCall<Answer>(
    name: 'vcenter' | 'director',
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ): Promise<Answer> {
    const { url } = this.#part(name).ready ?? {};
    const { labKey } = JSON.parse(await readFile(join(this.folder, name, 'credentials.json'), 'utf8')) as {
      labKey: string;
    };
    const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
    try {
      const answer = await fetch(`${url}/lab${path}`, {
        method,
        dispatcher,
        headers: { 'x-lab-key': labKey, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${name} /lab${path} answered ${answer.status}: ${text}`);
      return (text === '' ? {} : JSON.parse(text)) as Answer;
    } finally {
      await dispatcher.close();
    }
  }

  async copy(request: Omit<CopyRequest, 'kind'>): Promise<JobView> {
    return this.client.startJob({ body: { kind: 'copy', ...request } });
  }

  /** Waits for the end of a job; the server may be away for a while. */
  async end(job: string, seconds = 120): Promise<JobView> {
    let seen: JobView | undefined;
    return this.until(
      async () => {
        seen = await this.client.getJob({ job });
        return ENDS.has(seen.state) ? seen : undefined;
      },
      seconds,
      () => `job ${job} has not ended: ${JSON.stringify([seen?.state, seen?.steps, seen?.progress])}`,
    );
  }

  /** Asks again until there is an answer; failures in between count as none. */
  async until<T>(ask: () => Promise<T | undefined>, seconds: number, otherwise: string | (() => string)): Promise<T> {
    const deadline = Date.now() + seconds * 1000;
    let last: unknown;
    for (;;) {
      try {
        const answer = await ask();
        if (answer !== undefined) return answer;
      } catch (error) {
        last = error;
      }
      if (Date.now() > deadline) {
        const what = typeof otherwise === 'string' ? otherwise : otherwise();
        throw new Error(`${what} after ${seconds} s`, { cause: last });
      }
      await sleep(100);
    }
  }

  async log(): Promise<string> {
    return readFile(join(this.folder, 'all.log'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.[Symbol.asyncDispose]();
    await this.#processes[Symbol.asyncDispose]();
    await Promise.all([...this.gates.values()].map((gate) => gate[Symbol.asyncDispose]()));
    await Promise.all([this.#labs.vcenter[Symbol.asyncDispose](), this.#labs.director[Symbol.asyncDispose]()]);
    this.#log.end();
    await this.#release?.();
    if (process.env.CLOUDSPAN_KEEP === undefined)
      await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  /** The same cloud as its node is given it. */
  gated(name: 'vcenter' | 'director'): Lab {
    const lab = this.lab(name);
    const gate = this.gates.get(name);
    return gate === undefined ? lab : { ...lab, options: { ...lab.options, url: urlOf(gate) } };
  }

  async #openGates({ admits, host }: InstallationOptions): Promise<void> {
    if (process.platform !== 'linux') return process.emitWarning('the clouds of this journey are open to everybody');
    for (const name of ['vcenter', 'host', 'director'] as const) {
      const [own, other] =
        name === 'director' ? (['destination', 'source'] as const) : (['source', 'destination'] as const);
      const judge = async (owns: Owns) =>
        admits === undefined
          ? !(await owns(this.pid('server'))) && !(await owns(this.pid(other)))
          : owns(admits === 'own-node' ? this.pid(own) : admits);
      this.gates.set(name, await openGate(judge, host));
    }
  }

  #part(name: PartName): Part {
    const part = this.#parts.get(name);
    if (part === undefined) throw new Error(`there is no part ${name}`);
    return part;
  }

  async #raise(options: InstallationOptions): Promise<void> {
    const { folder } = this;
    this.#release = await options.prepare?.(folder);
    const { host = '127.0.0.1', publicDestination = true } = options;
    const at = host.includes(':') ? `[${host}]` : host;
    if (options.through === undefined) await this.#openGates(options);
    const add = (name: PartName, own: Part['words'], ownEnvironment: Record<string, string> = {}) => {
      const processes = name === 'vcenter' || name === 'director' ? this.#labs[name] : this.#processes;
      const { words: more = [], environment = {} } = options.extra?.(name, folder) ?? {};
      const words: Part['words'] = (port) => [...own(port), ...more];
      this.#parts.set(name, { name, processes, words, environment: { ...ownEnvironment, ...environment } });
    };
    const hostOf = (name: PartName) => () => new URL(this.#part(name).ready?.url ?? '').host;
    const dialled = (way: WayName, target: () => string) =>
      options.through === undefined ? undefined : options.through(way, target);
    const gated = this.gates.get('host');
    const esxi =
      gated === undefined
        ? await dialled('host', () => new URL(this.#part('vcenter').ready?.hostUrl ?? '').host)
        : new URL(urlOf(gated)).host;
    const world = async (name: string, content: unknown) => {
      const file = join(folder, `${name}.json`);
      await writeFile(file, JSON.stringify(content));
      return file;
    };
    const worlds = {
      vcenter: await world('vcenter', options.vcenterWorld),
      director: await world('director', options.directorWorld),
    };
    const limit = ['--storage-limit', String(options.storageLimit ?? 20)];
    add(
      'vcenter',
      (port) => [
        '--data',
        join(folder, 'vcenter'),
        '--world',
        worlds.vcenter,
        '--exit-with-stdin',
        '--port',
        port(this.#parts.get('vcenter')?.ready?.url),
        '--host-port',
        port(this.#parts.get('vcenter')?.ready?.hostUrl),
        ...(esxi === undefined ? [] : ['--host-address', esxi]),
      ],
      { LAB_PASSWORD: newPassword() },
    );
    add(
      'director',
      (port) => [
        '--data',
        join(folder, 'director'),
        '--world',
        worlds.director,
        '--exit-with-stdin',
        '--port',
        port(this.#parts.get('director')?.ready?.url),
      ],
      { LAB_PASSWORD: newPassword() },
    );
    add('server', (port) => [
      'server',
      '--data',
      join(folder, 'server'),
      '--json',
      '--listen',
      `${at}:${port(this.#parts.get('server')?.ready?.url)}`,
    ]);
    await Promise.all([this.revive('vcenter'), this.revive('director'), this.revive('server')]);
    for (const [name, gate] of this.gates) {
      const { url, hostUrl } = this.#part(name === 'host' ? 'vcenter' : name).ready ?? {};
      gate.target = Number(portOf(name === 'host' ? hostUrl : url));
    }
    const { url = '', fingerprint = '', firstPassword = '' } = this.#part('server').ready ?? {};
    await using open = connectTo(url, fingerprint);
    const { token } = await open.client.login({ body: { user: 'admin', password: firstPassword } });
    this.#connection = connectTo(url, fingerprint, token);
    for (const name of ['source', 'destination'] as const) {
      const server = (await dialled(`${name}-server`, hostOf('server'))) ?? new URL(url).host;
      const joining = await this.client.createJoinToken({ body: { address: server } });
      const common = ['--data', join(folder, name), '--name', name, '--json', ...limit];
      const listens = name === 'destination' && publicDestination;
      const address = listens ? await dialled('peer', () => this.#part(name).ready?.address ?? '') : undefined;
      const first = [
        'node',
        'join',
        server,
        ...common,
        ...(listens ? ['--public', '--listen', `${at}:0`] : []),
        ...(address === undefined ? [] : ['--address', address]),
      ];
      add(
        name,
        (port) => {
          const known = this.#parts.get(name)?.ready;
          if (known === undefined) return first;
          return ['node', ...common, ...(listens ? ['--listen', `${at}:${port(`https://${known.address}`)}`] : [])];
        },
        { CLOUDSPAN_JOIN_TOKEN: joining.token },
      );
      await this.revive(name);
    }
    await this.until(
      async () =>
        (await this.client.listNodes({})).nodes.filter((node) => node.connected && node.drivers.length > 0).length === 2
          ? true
          : undefined,
      30,
      'the nodes are not linked',
    );
    const seen = async (name: 'vcenter' | 'director'): Promise<Lab> => {
      const lab = this.lab(name);
      const address = await dialled(name, hostOf(name));
      return address === undefined
        ? this.gated(name)
        : { ...lab, options: { ...lab.options, url: `https://${address}` } };
    };
    await Promise.all([
      addLab(this.client, 'vc', 'source', await seen('vcenter')),
      addLab(this.client, 'vcd', 'destination', await seen('director')),
    ]);
  }
}

function urlOf({ host, port }: Gate): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function portOf(url: string | undefined): string {
  return url === undefined ? '0' : new URL(url).port;
}
