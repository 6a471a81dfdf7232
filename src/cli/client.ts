/** What the package exports as `cloudspan/client`: the typed client of the public API, for programs on Node.js. */
import { plainHex } from '../base/tls.ts';
import { type Connection, connectTo } from './session.ts';

export { Fault } from '../model/fault.ts';
export type { FaultCode } from '../model/fault-kinds.ts';
export type { CloudView } from '../protocol/api/clouds.ts';
export type { CopyRequest, JobView } from '../protocol/api/jobs.ts';
export type { NodeView } from '../protocol/api/nodes.ts';
export type { ObjectView } from '../protocol/api/objects.ts';
export type { LiveSearchEvent, SearchHit } from '../protocol/api/search.ts';
export type { ServerEvent } from '../protocol/api.ts';
export { type Answer, type Client, createClient, type Input, type Transport } from '../protocol/client.ts';
export type { Connection } from './session.ts';

export type ConnectOptions = {
  /** `https://host:port`, or `host:port`. */
  server: string;
  /** SHA-256 of the server's certificate, as it says at its start; hex, with or without colons. */
  fingerprint: string;
} & (
  | {
      /** Of a session. */
      token: string;
    }
  | { user: string; password: string }
);

/**
 * A connection to a server that shows the certificate of the fingerprint; dispose of it in the end. Faults:
 * `cloud.untrusted` (another certificate), `cloud.unreachable`, `auth.refused`.
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const server = new URL(/^https:\/\//.test(options.server) ? options.server : `https://${options.server}`).origin;
  const fingerprint = plainHex(options.fingerprint);
  if ('token' in options) return connectTo(server, fingerprint, options.token);
  await using open = connectTo(server, fingerprint);
  const { token } = await open.client.login({ body: { user: options.user, password: options.password } });
  return connectTo(server, fingerprint, token);
}
