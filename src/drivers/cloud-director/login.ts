import type { CloudHttp } from '../../base/http.ts';
import { Fault } from '../../model/fault.ts';
import { faultOfAnswer, readErrorBody } from './faults.ts';
import { type Account, isProvider } from './options.ts';
import { refusedLogin } from './refused-login.ts';
import type { ApiVersion } from './versions.ts';

/**
 * Signs in once and returns the bearer token: `POST /cloudapi/1.0.0/sessions` (`/provider` for System) with user and
 * password, `POST /oauth/…/token` with an API token. 401 is `auth.refused`; it is the caller's promise not to repeat it.
 */
export async function signIn(
  http: CloudHttp,
  account: Account,
  version: ApiVersion,
  who: string,
  signal: AbortSignal,
): Promise<string> {
  const { credentials } = account;
  return credentials.kind === 'password'
    ? byPassword(http, account, credentials, version, who, signal)
    : byApiToken(http, account, credentials.token, version, who, signal);
}

async function byPassword(
  http: CloudHttp,
  account: Account,
  credentials: { username: string; password: string },
  version: ApiVersion,
  who: string,
  signal: AbortSignal,
): Promise<string> {
  const { origin, organization } = account;
  const url = isProvider(organization) ? version.providerLoginUrl : version.loginUrl;
  requireOrigin(url, origin, who);
  const basic = Buffer.from(`${credentials.username}@${organization}:${credentials.password}`).toString('base64');
  const response = await http.request({
    method: 'POST',
    url,
    headers: {
      authorization: `Basic ${basic}`,
      accept: `application/json;version=${version.text}`,
      'content-length': '0',
    },
    signal,
  });
  const text = await response.text();
  if (response.status === 401) throw await refusedLogin(http, account, '', who, signal);
  if (response.status !== 200) throw refusal(who, response, text);
  const token = response.headers['x-vmware-vcloud-access-token'];
  if (!token) throw new Fault('cloud.protocol', `${who}: the sign-in was answered without an access token`);
  return token;
}

async function byApiToken(
  http: CloudHttp,
  account: Account,
  apiToken: string,
  version: ApiVersion,
  who: string,
  signal: AbortSignal,
): Promise<string> {
  const { origin, organization } = account;
  const path = isProvider(organization) ? 'provider' : `tenant/${encodeURIComponent(organization)}`;
  const response = await http.request({
    method: 'POST',
    url: `${origin}/oauth/${path}/token`,
    headers: {
      accept: `application/json;version=${version.text}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: apiToken }).toString(),
    signal,
  });
  const text = await response.text();
  if (response.status >= 400 && response.status < 405) {
    const said = readErrorBody(response.status, response.headers['content-type'] ?? '', text).message;
    throw await refusedLogin(http, account, said, who, signal);
  }
  if (response.status !== 200) throw refusal(who, response, text);
  const token = tokenOf(text);
  if (token === undefined)
    throw new Fault('cloud.protocol', `${who}: the API token was answered without an access token`);
  return token;
}

function tokenOf(text: string): string | undefined {
  try {
    const token = (JSON.parse(text) as Record<string, unknown>).access_token;
    return typeof token === 'string' && token !== '' ? token : undefined;
  } catch {
    return undefined;
  }
}

function refusal(who: string, response: { status: number; headers: Record<string, string> }, text: string): Fault {
  const { status, headers } = response;
  const error = readErrorBody(status, headers['content-type'] ?? '', text);
  return faultOfAnswer({ who, what: 'sign in', method: 'POST', status, headers, error });
}

/** Refuses to follow the cloud to another host: the session's token is for this one only. */
export function requireOrigin(href: string, origin: string, who: string): URL {
  if (!URL.canParse(href)) throw new Fault('cloud.protocol', `${who}: the cloud gave an address that is none`);
  const url = new URL(href);
  if (url.origin !== origin) {
    throw new Fault('cloud.untrusted', `${who}: the cloud points to ${url.origin}, but it was joined as ${origin}`, {
      remedy: 'Join the cloud under its public address, or correct the public address in Cloud Director.',
    });
  }
  return url;
}
