import { parseAddress } from '../../base/address.ts';
import { delay } from '../../base/backoff.ts';
import type { Log } from '../../base/log.ts';
import { dialIdentity } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import { LINK_PATH, LINK_UPGRADE } from '../../protocol/link.ts';
import type { NodeApi } from '../api.ts';
import type { JoinedServer } from '../membership.ts';
import type { Outward } from '../outward.ts';
import { askUpgrade } from '../upgrade.ts';
import { watchSession } from './session.ts';

const LONGEST_WAIT_MILLISECONDS = 15_000;
const LOOK_MILLISECONDS = 1_000;
const FIRST_WAIT_MILLISECONDS = 250;
/** A link that lived this long was a good one: the next dial comes at once. */
const GOOD_LINK_MILLISECONDS = 10_000;

/**
 * Keeps a link to one server for ever, dialled by this node; resolves after the abort. Never throws.
 * @param how `needed`: it is dialled only while this answers true.
 */
export async function keepLink(
  server: JoinedServer,
  outward: Pick<Outward, 'identity' | 'ways'>,
  api: NodeApi,
  log: Log,
  stallSeconds: number,
  signal: AbortSignal,
  how: { needed?: () => boolean; onLinked?: (linked: boolean) => void } = {},
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    if (how.needed?.() === false) {
      await delay(LOOK_MILLISECONDS, signal).catch(() => {});
      continue;
    }
    const begin = performance.now();
    try {
      await linkOnce(server, outward, api, log, stallSeconds, signal, how.onLinked);
      failures = performance.now() - begin > GOOD_LINK_MILLISECONDS ? 0 : failures + 1;
      if (!signal.aborted) log.warn({ server: server.id }, 'the link to the server ended');
    } catch (error) {
      failures++;
      if (!signal.aborted) {
        const fault = Fault.from(error, `server ${server.address}`);
        log.warn({ server: server.id, fault: fault.report() }, 'no link to the server');
      }
    }
    const longest = Math.min(LONGEST_WAIT_MILLISECONDS, FIRST_WAIT_MILLISECONDS * 2 ** Math.min(failures, 10));
    await delay(longest * (0.5 + Math.random() / 2), signal).catch(() => {});
  }
}

async function linkOnce(
  server: JoinedServer,
  outward: Pick<Outward, 'identity' | 'ways'>,
  api: NodeApi,
  log: Log,
  stallSeconds: number,
  signal: AbortSignal,
  onLinked: (linked: boolean) => void = () => {},
): Promise<void> {
  const dialled = await dialIdentity(parseAddress(server.address), outward.identity, server.pin, signal, {
    way: outward.ways.server,
  });
  const socket = await askUpgrade(
    dialled,
    { path: LINK_PATH, upgrade: LINK_UPGRADE, who: `server ${server.address}` },
    signal,
  );
  const session = api.accept(socket, server.id);
  const onAbort = () => {
    session.destroy();
    socket.destroy();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    else log.info({ server: server.id, address: server.address }, 'linked to the server');
    onLinked(true);
    await watchSession(session, socket, stallSeconds);
  } finally {
    onLinked(false);
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}
