import { stat } from 'node:fs/promises';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { NodeApi } from '../api.ts';
import { type JoinedServer, membershipFile, readMembership } from '../membership.ts';
import type { Outward } from '../outward.ts';
import { keepLink } from './dial-home.ts';

const LOOK_MILLISECONDS = 2000;
/** So long the servers that were told are tried before the address of the join. */
const SPARE_MILLISECONDS = 5000;

interface Link {
  control: AbortController;
  /** Id of the installation. */
  server: string;
  /** Holds the address while the link is up. */
  linked: Set<string>;
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
        .flatMap(targetsOf)
        .map((target) => [JSON.stringify(target), target] as const),
    );
    for (const [key, { control }] of this.#links) {
      if (wanted.has(key)) continue;
      control.abort(new Fault('node.untrusted', 'the server is no longer one of this node'));
      this.#links.delete(key);
    }
    for (const [key, target] of wanted) if (!this.#links.has(key)) this.#open(key, target);
  }

  #open(key: string, { server, spare }: Target): void {
    const control = new AbortController();
    const linked = new Set<string>();
    const link: Link = { control, server: server.id, linked, over: Promise.resolve() };
    this.#links.set(key, link);
    const opened = performance.now();
    link.over = keepLink(server, this.#outward, this.#api, this.#log, this.#stallSeconds, control.signal, {
      onLinked: (is) => void (is ? linked.add(server.address) : linked.delete(server.address)),
      ...(spare ? { needed: () => performance.now() - opened > SPARE_MILLISECONDS && !this.#hasOther(link) } : {}),
    });
  }

  #hasOther({ server }: Link): boolean {
    return [...this.#links.values()].some((other) => other.server === server && other.linked.size > 0);
  }
}

interface Target {
  /** With the address that is dialled. */
  server: JoinedServer;
  /** Dialled only while there is no link to any server of this installation. */
  spare: boolean;
}

/** Every server of an installation; where this node joined may be a load balancer, behind which any of them answers. */
function targetsOf({ dialled = [], ...server }: JoinedServer): Target[] {
  const each = dialled.map((address) => ({ server: { ...server, address }, spare: false }));
  return dialled.includes(server.address) ? each : [...each, { server, spare: each.length > 0 }];
}
