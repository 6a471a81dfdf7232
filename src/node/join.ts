import { mkdir } from 'node:fs/promises';
import { parseAddress } from '../base/address.ts';
import { loadIdentity, pinOfCertificate } from '../base/identity.ts';
import { dialIdentity } from '../base/tls.ts';
import { Fault } from '../model/fault.ts';
import type { Way } from '../model/proxy.ts';
import {
  JOIN_PATH,
  JoinAnswerSchema,
  type JoinRequest,
  JoinRequestSchema,
  type JoinToken,
  JoinTokenSchema,
} from '../protocol/join.ts';
import { PROTOCOL_HEADER, protocolRange } from '../protocol/version.ts';
import { addMembership, type JoinedServer } from './membership.ts';
import { askOnce } from './upgrade.ts';

const TOKEN_PREFIX = 'cs1.';
const SECONDS = 30;

export interface JoinOptions {
  /** The node's own folder: its identity and its list of servers are kept there. */
  folder: string;
  name: string;
  /** `host:port` of the server as it is seen from here; the token's own when absent. Its pin is the token's in any case. */
  server?: string;
  /** `cs1.…`, from the server. */
  token: string;
  link: 'dial-home' | 'direct';
  /** Whether other nodes may dial this one. */
  public: boolean;
  /** `host:port` under which server and nodes reach this node; needed when `direct` or `public`. */
  address?: string;
  /** Proxy on the way to the server. */
  way?: Way;
  /** Every `host:port` under which others reach this node, kept for its servers; the first is `address`. */
  addresses?: string[];
  signal?: AbortSignal;
}

/** Takes a join token apart. Fault: `node.join-refused`. */
function readJoinToken(token: string): JoinToken {
  const text = token.trim();
  try {
    if (!text.startsWith(TOKEN_PREFIX)) throw new Error('the prefix is missing');
    const json = Buffer.from(text.slice(TOKEN_PREFIX.length), 'base64url').toString('utf8');
    return JoinTokenSchema.parse(JSON.parse(json));
  } catch (error) {
    throw new Fault('node.join-refused', 'the join token is not complete', {
      cause: error,
      remedy: `Copy the whole token; it begins with ${TOKEN_PREFIX}`,
    });
  }
}

/**
 * Makes this node known to a server, and the server to this node. Durable when it resolves; a running node notices it by
 * itself. Faults: `node.join-refused` (token wrong, used, too old), `node.untrusted`, `node.unreachable`, `input.invalid`.
 */
export async function joinServer(options: JoinOptions): Promise<JoinedServer> {
  const token = readJoinToken(options.token);
  if (Date.parse(token.expires) < Date.now()) {
    throw new Fault('node.join-refused', `the join token expired at ${token.expires}`);
  }
  for (const address of options.addresses ?? []) parseAddress(address);
  const request = joinRequest(options, token);
  const signal = AbortSignal.any([AbortSignal.timeout(SECONDS * 1000), ...(options.signal ? [options.signal] : [])]);
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const identity = await loadIdentity(options.folder, 'node', options.name);
  const server = options.server ?? token.server;
  const socket = await dialIdentity(parseAddress(server), identity, token.pin, signal, {
    ...(options.way === undefined ? {} : { way: options.way }),
  });
  const answer = await askOnce(
    socket,
    {
      method: 'POST',
      path: JOIN_PATH,
      who: server,
      headers: { [PROTOCOL_HEADER]: protocolRange() },
      body: JSON.stringify(request),
    },
    signal,
  );
  const parsed = JoinAnswerSchema.safeParse(answer);
  if (!parsed.success || pinOf(parsed.data.certificate) !== token.pin) {
    throw new Fault('node.untrusted', `server ${server} answered the join without a certificate for its own key`);
  }
  const joined: JoinedServer = {
    id: parsed.data.server,
    node: parsed.data.node,
    address: server,
    pin: token.pin,
    certificate: parsed.data.certificate,
    link: options.link,
    ...(options.addresses === undefined ? {} : { addresses: options.addresses }),
  };
  await addMembership(options.folder, joined);
  return joined;
}

function joinRequest(options: JoinOptions, token: JoinToken): JoinRequest {
  const { name, link, address } = options;
  if (address === undefined && (link === 'direct' || options.public)) {
    throw new Fault('input.invalid', `a ${link === 'direct' ? 'direct' : 'public'} node needs an address`, {
      remedy: 'Say under which host:port the node is reached.',
    });
  }
  if (address !== undefined) parseAddress(address);
  const parsed = JoinRequestSchema.safeParse({ secret: token.secret, name, link, public: options.public, address });
  if (!parsed.success) throw new Fault('input.invalid', `"${name}" is not a name for a node: 1 to 64 characters`);
  return parsed.data;
}

function pinOf(certificate: string): string | null {
  try {
    return pinOfCertificate(certificate);
  } catch {
    return null;
  }
}
