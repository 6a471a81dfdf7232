import { mkdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeDurably } from '../base/files.ts';
import { CloudHttp } from '../base/http.ts';
import { wayOfEnvironment } from '../base/proxy-rules.ts';
import { Fault } from '../model/fault.ts';
import {
  type Client,
  createClient,
  type DownloadName,
  downloadPath,
  readFault,
  type Transport,
} from '../protocol/client.ts';

/** Where `login` leaves what later commands need: the server, its confirmed fingerprint and a token (file mode 0600). */
export interface Session {
  /** `https://host:port`. */
  server: string;
  fingerprint: string;
  token: string;
  user: string;
}

/** Where commands keep what later ones need. */
export function homeFolder(): string {
  return process.env.CLOUDSPAN_HOME ?? join(process.env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'cloudspan');
}

function sessionFile(): string {
  return join(homeFolder(), 'session.json');
}

export async function saveSession(session: Session): Promise<void> {
  await mkdir(join(sessionFile(), '..'), { recursive: true, mode: 0o700 });
  await writeDurably(sessionFile(), `${JSON.stringify(session, undefined, 2)}\n`, 0o600);
}

export async function forgetSession(): Promise<void> {
  await rm(sessionFile(), { force: true });
}

async function readSession(): Promise<Session> {
  const { CLOUDSPAN_SERVER: server, CLOUDSPAN_FINGERPRINT: fingerprint, CLOUDSPAN_TOKEN: token } = process.env;
  if (server !== undefined && fingerprint !== undefined && token !== undefined)
    return { server, fingerprint, token, user: '' };
  try {
    return JSON.parse(await readFile(sessionFile(), 'utf8')) as Session;
  } catch (error) {
    throw new Fault('auth.required', 'there is no session with a server', {
      cause: error,
      remedy: 'Sign in with `cloudspan login <host:port>`.',
    });
  }
}

export interface Connection extends AsyncDisposable {
  client: Client;
  /** The bytes of an operation that answers with a file. */
  download(name: DownloadName, query?: Record<string, string>): AsyncIterable<Buffer>;
  server: string;
}

/** A client for one server whose certificate has the fingerprint that a person confirmed. */
export function connectTo(server: string, fingerprint: string, token?: string): Connection {
  const http = new CloudHttp({
    trust: { kind: 'pin', sha256: fingerprint },
    who: `server ${new URL(server).host}`,
    stallSeconds: 120,
    way: wayOfEnvironment(process.env),
  });
  const send: Transport = async (request) => {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    const answer = await http.request({
      method: request.method,
      url: new URL(request.path, server),
      headers,
      ...(request.body === undefined ? {} : { body: request.body }),
      signal: request.signal ?? new AbortController().signal,
    });
    return { status: answer.status, text: await answer.text() };
  };
  async function* download(name: DownloadName, query = {}): AsyncIterable<Buffer> {
    const url = new URL(`${downloadPath(name)}?${new URLSearchParams(query)}`, server);
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const { signal } = new AbortController();
    const answer = await http.request({ method: 'GET', url, headers, signal });
    if (answer.status >= 400) throw readFault(await answer.text(), answer.status, name);
    yield* http.chunks(answer, url, signal);
  }
  return { client: createClient(send), download, server, [Symbol.asyncDispose]: () => http.close() };
}

/** The connection of the last `login`, or of CLOUDSPAN_SERVER, CLOUDSPAN_FINGERPRINT and CLOUDSPAN_TOKEN. */
export async function connectLast(): Promise<Connection> {
  const session = await readSession();
  return connectTo(session.server, session.fingerprint, session.token);
}
