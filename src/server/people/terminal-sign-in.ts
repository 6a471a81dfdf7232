import { isIP } from 'node:net';
import * as openid from 'openid-client';
import { Fault } from '../../model/fault.ts';
import type { SignInBegun } from '../../protocol/api/provider.ts';
import type { Auth, Session } from '../auth.ts';
import { beginAudit, endAudit } from '../store/audit.ts';
import type { Database } from '../store/database.ts';
import type { Vault } from '../vault.ts';
import { providedAccount } from './provided-account.ts';
import type { Claims, Journey, SignInProvider } from './provider.ts';

const SEALED_AS = 'cloudspan_terminal_sign_in';
const MINUTES = 10;
const INTERVAL_SECONDS = 5;
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** What the terminal takes back at the end; sealed, so that it says nothing to it. */
type Ticket = { until: number } & ({ device: string } | { journey: Journey });

/** Signing in at the OpenID provider for the command line: on another device, or in a browser on the same machine. */
export interface TerminalSignIn {
  /**
   * By the device authorization grant (RFC 8628) where provider and client have it, else with PKCE by way of `redirect`,
   * an address of the terminal's own machine (RFC 8252). Faults: `object.missing`: there is no provider; `auth.provider`,
   * `input.invalid`.
   */
  begin(redirect: string | undefined): Promise<SignInBegun>;
  /**
   * @param returned The address to which the browser was sent back; of the second way only.
   * @returns null while nobody has confirmed it; ask again after `intervalSeconds`. Faults: `auth.refused`.
   */
  end(ticket: string, returned: string | undefined, address: string): Promise<Session | null>;
}

export function createTerminalSignIn({
  provider,
  auth,
  database,
  vault,
}: {
  provider: SignInProvider;
  auth: Auth;
  database: Database;
  vault: Vault;
}): TerminalSignIn {
  const seal = (ticket: Ticket) => vault.seal(SEALED_AS, JSON.stringify(ticket)).toString('base64url');
  const inMinutes = (minutes: number) => Date.now() + minutes * 60_000;

  const onDevice = async (): Promise<SignInBegun | null> => {
    const { provider: asked, config } = await provider.connect();
    if (config.serverMetadata().device_authorization_endpoint === undefined) return null;
    try {
      const begun = await openid.initiateDeviceAuthorization(config, { scope: asked.scope });
      const until = Date.now() + begun.expires_in * 1000;
      return {
        way: 'device',
        ticket: seal({ until, device: begun.device_code }),
        url: begun.verification_uri,
        ...(begun.verification_uri_complete === undefined ? {} : { urlWithCode: begun.verification_uri_complete }),
        code: begun.user_code,
        intervalSeconds: begun.interval ?? INTERVAL_SECONDS,
        expires: new Date(until).toISOString(),
      };
    } catch (error) {
      // The provider has it, but not for this client.
      if (error instanceof openid.ResponseBodyError) return null;
      throw new Fault('auth.provider', `${asked.issuer} begins no sign-in: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };

  const claimsOf = async (ticket: Ticket, returned: string | undefined) => {
    if ('journey' in ticket) {
      if (returned === undefined)
        throw new Fault('input.invalid', 'the address with the answer of the provider is missing');
      return provider.end(ticket.journey, new URL(returned, ticket.journey.redirect));
    }
    const { provider: asked, config } = await provider.connect();
    try {
      const tokens = await openid.genericGrantRequest(config, DEVICE_GRANT, { device_code: ticket.device });
      return { provider: asked, claims: await provider.claims(config, tokens) };
    } catch (error) {
      const code = error instanceof openid.ResponseBodyError ? error.error : '';
      if (code === 'authorization_pending' || code === 'slow_down') return null;
      throw new Fault('auth.refused', `the sign-in at ${asked.issuer} was not completed: ${(error as Error).message}`, {
        cause: error,
        remedy: 'Begin again: cloudspan login --oidc.',
      });
    }
  };

  return {
    async begin(redirect) {
      const device = await onDevice();
      if (device !== null) return device;
      if (redirect === undefined || !isLoopback(redirect)) {
        throw new Fault('input.invalid', 'the provider has no device authorization for this client', {
          remedy:
            'Allow it there, or sign in from a machine with a browser: the redirect is http://127.0.0.1:<port>/….',
        });
      }
      const { url, journey } = await provider.begin(redirect);
      const until = inMinutes(MINUTES);
      return { way: 'browser', ticket: seal({ until, journey }), url, expires: new Date(until).toISOString() };
    },
    async end(sealed, returned, address) {
      const ticket = opened(vault, sealed);
      const known = await claimsOf(ticket, returned).catch(async (error: unknown) => {
        await writeDown(database, address, '', Fault.from(error, 'sign-in').code);
        throw error;
      });
      if (known === null) return null;
      const { claims } = known;
      const subject = `${claims.iss} ${claims.sub}`;
      const number = await beginAudit(database, begun(address, subject));
      let account = '(unknown)';
      try {
        const row = await providedAccount(database, known.provider, claims as Claims);
        account = row.name;
        const session = await auth.admit(row);
        await endAudit(database, number, { account, subject, outcome: 'done' });
        return session;
      } catch (error) {
        await endAudit(database, number, { account, subject, outcome: Fault.from(error, 'sign-in').code });
        throw error;
      }
    },
  };
}

const begun = (address: string, subject: string) => ({
  ...{ account: '(unknown)', address, via: 'provider', action: 'login', subject },
});

async function writeDown(database: Database, address: string, subject: string, outcome: string): Promise<void> {
  const number = await beginAudit(database, begun(address, subject));
  await endAudit(database, number, { account: '(unknown)', subject, outcome });
}

/** A code goes to nobody but a program on the machine of whoever signs in. */
function isLoopback(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, search, hash } = new URL(text);
  const host = hostname.replace(/^\[|\]$/g, '');
  return protocol === 'http:' && isIP(host) > 0 && (host === '127.0.0.1' || host === '::1') && search + hash === '';
}

function opened(vault: Vault, sealed: string): Ticket {
  let ticket: Ticket | null = null;
  try {
    ticket = JSON.parse(vault.open(SEALED_AS, Buffer.from(sealed, 'base64url'))) as Ticket;
  } catch {
    // Told below.
  }
  if (ticket !== null && ticket.until > Date.now()) return ticket;
  throw new Fault('auth.refused', 'the sign-in did not begin here, or too long ago', {
    remedy: 'Begin again: cloudspan login --oidc.',
  });
}
