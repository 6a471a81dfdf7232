import { join } from 'node:path';
import { z } from 'zod';
import { readIfThere, writeDurably } from '../base/files.ts';
import { verifyWith } from '../base/identity.ts';
import { Fault } from '../model/fault.ts';

const JoinedServerSchema = z.object({
  /** Id of the server: the first half of every owner here. */
  id: z.string(),
  /** This node's id there. */
  node: z.string(),
  /** `host:port` where the server is dialled. */
  address: z.string(),
  pin: z.string(),
  /** PEM; tickets are checked with its key. */
  certificate: z.string(),
  link: z.enum(['dial-home', 'direct']),
  /** `host:port` under which this node said that others reach it. */
  addresses: z.array(z.string()).optional(),
  /** Where each server of this installation is dialled, as they said; none: there is one only, at `address`. */
  dialled: z.array(z.string()).optional(),
});
const FileSchema = z.object({ servers: z.array(JoinedServerSchema) });

/** A server that may command this node. */
export type JoinedServer = z.infer<typeof JoinedServerSchema>;

export function membershipFile(folder: string): string {
  return join(folder, 'servers.json');
}

export async function readMembership(folder: string): Promise<JoinedServer[]> {
  const path = membershipFile(folder);
  const text = await readIfThere(path);
  if (text === null) return [];
  try {
    return FileSchema.parse(JSON.parse(text)).servers;
  } catch (error) {
    throw new Fault('input.invalid', `${path} is not a list of joined servers`, {
      cause: error,
      remedy: 'Restore the file, or remove it and join the node again.',
    });
  }
}

/**
 * Adds a server, or replaces what was known of it. Durable when it resolves. Fault `node.join-refused`: another key
 * claims the id of a server that is known here; works and sessions belong to that one.
 */
export async function addMembership(folder: string, server: JoinedServer): Promise<void> {
  const known = await readMembership(folder);
  if (known.some((one) => one.id === server.id && one.pin !== server.pin)) {
    throw new Fault(
      'node.join-refused',
      `${server.address} says that it is server ${server.id}, which has another key here`,
      {
        remedy: 'If the server was set up anew with its old database, remove it from servers.json of this node first.',
      },
    );
  }
  const others = known.filter((one) => one.pin !== server.pin);
  await writeDurably(membershipFile(folder), `${JSON.stringify({ servers: [...others, server] }, null, 2)}\n`);
}

/** Writes down where the servers of an installation are dialled. Durable when it resolves; nothing changes where it is known. */
export async function learnAddresses(folder: string, id: string, dialled: string[]): Promise<void> {
  const known = await readMembership(folder);
  const old = known.find((one) => one.id === id);
  if (old === undefined || JSON.stringify(old.dialled ?? []) === JSON.stringify(dialled)) return;
  const servers = known.map((one) => (one === old ? { ...one, dialled } : one));
  await writeDurably(membershipFile(folder), `${JSON.stringify({ servers }, null, 2)}\n`);
}

/** The joined servers as the running node knows them. */
export class Membership {
  #servers: readonly JoinedServer[];

  constructor(servers: readonly JoinedServer[]) {
    this.#servers = servers;
  }

  get servers(): readonly JoinedServer[] {
    return this.#servers;
  }

  replace(servers: readonly JoinedServer[]): void {
    this.#servers = servers;
  }

  byId(id: string): JoinedServer | undefined {
    return this.#servers.find((server) => server.id === id);
  }

  byPin(pin: string | null): JoinedServer | undefined {
    return this.#servers.find((server) => server.pin === pin);
  }

  /** The server that signed this text, if it is one of ours. */
  signer(text: string, signature: string): JoinedServer | undefined {
    return this.#servers.find((server) => {
      try {
        return verifyWith(server.certificate, text, signature);
      } catch {
        return false;
      }
    });
  }
}
