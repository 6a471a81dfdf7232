import { mkdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeDurably } from '../base/files.ts';
import { CloudHttp, type CloudRequest } from '../base/http.ts';
import { wayOfEnvironment } from '../base/proxy-rules.ts';
import { changedCertificate } from '../model/changed-certificate.ts';
import { Fault } from '../model/fault.ts';
import {
  type Client,
  createClient,
  type DownloadName,
  downloadPath,
  readFault,
  type Transport,
} from '../protocol/client.ts';
import { type CertificateKnown, certificateText } from './certificate-text.ts';
import { ask as askPerson, canAsk } from './prompt.ts';

/** Where `login` leaves what later commands need: the server, its confirmed fingerprint and a token (file mode 0600). */
export interface Session {
  /** `https://host:port`. */
  server: string;
  fingerprint: string;
  token: string;
  user: string;
  /** What else is known of the certificate, to show it beside a new one. */
  certificate?: CertificateKnown;
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
export function connectTo(
  server: string,
  fingerprint: string,
  token?: string,
  onChange?: (error: unknown) => Promise<string | null>,
): Connection {
  const open = (sha256: string) =>
    new CloudHttp({
      trust: { kind: 'pin', sha256 },
      who: `server ${new URL(server).host}`,
      stallSeconds: 120,
      way: wayOfEnvironment(process.env),
    });
  let http = open(fingerprint);
  const ask = async (request: CloudRequest) => {
    try {
      return await http.request(request);
    } catch (error) {
      const next = await onChange?.(error);
      if (next == null) throw error;
      await http.close();
      http = open(next);
      return http.request(request);
    }
  };
  const send: Transport = async (request) => {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    const answer = await ask({
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
    const answer = await ask({ method: 'GET', url, headers, signal });
    if (answer.status >= 400) throw readFault(await answer.text(), answer.status, name);
    yield* http.chunks(answer, url, signal);
  }
  return { client: createClient(send), download, server, [Symbol.asyncDispose]: () => http.close() };
}

/** Believes the certificate from now on, in the session of the last `login`; what the environment says stays. */
export async function keepFingerprint({ sha256, subject, issuer, validFrom, validTo }: Required<CertificateKnown>) {
  const session = await readSession();
  if (session.user === '') return;
  const certificate = { sha256, subject, issuer, validFrom, validTo };
  await saveSession({ ...session, fingerprint: sha256, certificate });
}

/**
 * Shows the certificate of the last `login` and this one; takes a person's yes for it, or the fingerprint that they gave.
 * Fault `input.invalid`: the environment says which one is believed.
 */
export async function confirmServer(seen: Required<CertificateKnown>, wanted: string | undefined): Promise<void> {
  const session = await readSession();
  const { host } = new URL(session.server);
  if (session.user === '') {
    throw new Fault(
      'input.invalid',
      `the certificate of the server ${host} is the one that CLOUDSPAN_FINGERPRINT says`,
      {
        remedy: `It shows ${seen.sha256}: compare that with its owner, then set CLOUDSPAN_FINGERPRINT to it.`,
      },
    );
  }
  process.stderr.write(
    certificateText(`${host}: confirmed was`, session.certificate ?? { sha256: session.fingerprint }),
  );
  process.stderr.write(
    certificateText(seen.sha256 === session.fingerprint ? 'it shows the same' : 'it shows now', seen),
  );
  if (
    wanted === undefined &&
    canAsk() &&
    /^y(es)?$/i.test(await askPerson('Is the one that it shows now the right one? (yes/no) '))
  )
    return keepFingerprint(seen);
  if (wanted === seen.sha256) return keepFingerprint(seen);
  throw new Fault('cloud.untrusted', `the certificate of the server ${host} was not confirmed`, {
    remedy: `Compare the fingerprint with its owner, then: cloudspan certificates trust --fingerprint ${seen.sha256}`,
    details: { seen: seen.sha256, wanted: wanted ?? session.fingerprint },
  });
}

/** Where the server of the last `login` is. */
export async function lastServer() {
  const url = new URL((await readSession()).server);
  const target = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
  return { target, way: wayOfEnvironment(process.env) };
}

/** Another certificate than at login: a person at a terminal is shown both and may say yes; nothing was sent before. */
async function askAboutChange(error: unknown): Promise<string | null> {
  if (!(error instanceof Fault)) return null;
  const changed = changedCertificate(error);
  if (changed === null) return null;
  const { subject, issuer, validFrom, validTo } = error.details ?? {};
  await confirmServer(
    {
      sha256: changed.seen,
      subject: String(subject),
      issuer: String(issuer),
      validFrom: String(validFrom),
      validTo: String(validTo),
    },
    undefined,
  );
  return changed.seen;
}

/** The connection of the last `login`, or of CLOUDSPAN_SERVER, CLOUDSPAN_FINGERPRINT and CLOUDSPAN_TOKEN. */
export async function connectLast(): Promise<Connection> {
  const session = await readSession();
  const { server, token, user } = session;
  // Programs bring their fingerprint along: there is nobody to ask.
  return connectTo(server, session.fingerprint, token, user === '' ? undefined : askAboutChange);
}
