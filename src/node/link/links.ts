import { stat } from 'node:fs/promises';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { NodeApi } from '../api.ts';
import { type JoinedServer, membershipFile, readMembership } from '../membership.ts';
import type { Outward } from '../outward.ts';
import { keepLink } from './dial-home.ts';

const LOOK_MILLISECONDS = 2000;

interface Link {
  control: AbortController;
  over: Promise<void>;
}

/** One link to every joined server that is dialled by this node; follows the list while `cloudspan node join` changes it. */
export class Links {
  readonly #folder: string;
  readonly #outward: Outward;
  readonly #api: NodeApi;
  readonly #log: Log;
  readonly #stallSeconds: number;
  readonly #links = new Map<string, Link>();
  #timer: NodeJS.Timeout | undefined;
  #seen = '';
  #closed = false;

  constructor(folder: string, outward: Outward, api: NodeApi, log: Log, stallSeconds: number) {
    this.#folder = folder;
    this.#outward = outward;
    this.#api = api;
    this.#log = log;
    this.#stallSeconds = stallSeconds;
  }

  start(): void {
    this.#follow();
    this.#timer = setInterval(() => void this.#look(), LOOK_MILLISECONDS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    const links = [...this.#links.values()];
    this.#links.clear();
    for (const { control } of links) control.abort(new Fault('node.unreachable', 'the node is shutting down'));
    await Promise.all(links.map(({ over }) => over));
  }

  async #look(): Promise<void> {
    try {
      const { mtimeMs, ino } = await stat(membershipFile(this.#folder));
      const seen = `${ino}/${mtimeMs}`;
      if (seen === this.#seen) return;
      this.#seen = seen;
      const servers = await readMembership(this.#folder);
      // A look that was under way at the close must not dial again: nobody would end that link any more.
      if (this.#closed) return;
      this.#outward.membership.replace(servers);
      this.#follow();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#log.warn({ err: error }, 'the list of joined servers cannot be read');
    }
  }

  #follow(): void {
    const wanted = new Map(
      this.#outward.membership.servers
        .filter((server) => server.link === 'dial-home')
        .map((server) => [JSON.stringify(server), server] as const),
    );
    for (const [key, { control }] of this.#links) {
      if (wanted.has(key)) continue;
      control.abort(new Fault('node.untrusted', 'the server is no longer one of this node'));
      this.#links.delete(key);
    }
    for (const [key, server] of wanted) if (!this.#links.has(key)) this.#open(key, server);
  }

  #open(key: string, server: JoinedServer): void {
    const control = new AbortController();
    const over = keepLink(server, this.#outward, this.#api, this.#log, this.#stallSeconds, control.signal);
    this.#links.set(key, { control, over });
  }
}
