import * as openid from 'openid-client';
import { Agent, fetch } from 'undici';
import { Fault } from '../../model/fault.ts';
import type { Provider } from '../../protocol/api/provider.ts';
import type { Database } from '../store/database.ts';
import { deleteProvider, readProvider, type StoredProvider, writeProvider } from '../store/provider.ts';
import type { Vault } from '../vault.ts';

const SECRET = 'openid provider';
const PATIENCE_SECONDS = 20;

/** What a sign-in carries through the browser, sealed, and takes back at its end. */
export interface Journey {
  verifier: string;
  state: string;
  nonce: string;
  redirect: string;
}

export interface Claims {
  iss: string;
  sub: string;
  [claim: string]: unknown;
}

/** The OpenID provider of this installation: authorization code with PKCE, state and nonce. */
export interface SignInProvider {
  get(): Promise<Provider | null>;
  /** Faults: `auth.provider`: it cannot be asked; `input.invalid`: what it says of itself does not do. */
  set(provider: Provider, secret: string | undefined): Promise<Provider>;
  remove(): Promise<void>;
  /** Where to send the browser. Fault `object.missing`: there is no provider. */
  begin(redirect: string): Promise<{ url: string; journey: Journey }>;
  /** For other ways to sign in there. Faults: `object.missing`, `auth.provider`. */
  connect(): Promise<{ provider: Provider; config: openid.Configuration }>;
  /** What the provider says about whoever these tokens are of. */
  claims(config: openid.Configuration, tokens: Tokens): Promise<Claims>;
  /** What the provider says about whoever came back. Fault `auth.refused`. */
  end(journey: Journey, returned: URL): Promise<{ provider: Provider; claims: Claims }>;
}

export function createProvider(database: Database, vault: Vault): SignInProvider {
  let known: { text: string; config: openid.Configuration } | null = null;

  const discover = async (provider: StoredProvider): Promise<openid.Configuration> => {
    const text = JSON.stringify(provider);
    if (known?.text === text) return known.config;
    const { issuer, clientId, ca } = provider;
    const secret = secretOf(provider, vault);
    const agent = new Agent({ connect: { minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) } });
    const ask = ((url: string, options: object) => fetch(url, { ...options, dispatcher: agent })) as never;
    try {
      const how = secret === undefined ? openid.None() : openid.ClientSecretBasic(secret);
      const config = await openid.discovery(new URL(issuer), clientId, undefined, how, {
        [openid.customFetch]: ask,
        timeout: PATIENCE_SECONDS,
      });
      known = { text, config };
      return config;
    } catch (error) {
      const { message, cause } = error as Error;
      const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
      throw new Fault('auth.provider', `the OpenID provider ${issuer} does not describe itself: ${why}`, {
        cause: error,
      });
    }
  };
  const needed = async (): Promise<StoredProvider> => {
    const provider = await readProvider(database);
    if (provider === null) throw new Fault('object.missing', 'there is no OpenID provider to sign in at');
    return provider;
  };

  return {
    claims: claimsOf,
    async connect() {
      const provider = await needed();
      return { provider: shown(provider), config: await discover(provider) };
    },
    async get() {
      const provider = await readProvider(database);
      return provider === null ? null : shown(provider);
    },
    async set(provider, secret) {
      const sealed = secret === undefined ? {} : { sealed: vault.seal(SECRET, secret).toString('base64') };
      const stored: StoredProvider = { ...provider, ...sealed };
      const metadata = (await discover(stored)).serverMetadata();
      if (metadata.authorization_endpoint === undefined || !metadata.supportsPKCE()) {
        throw new Fault(
          'input.invalid',
          `the OpenID provider ${provider.issuer} offers no authorization code with PKCE`,
          {
            remedy: 'Allow the code flow with S256 for this client at the provider.',
          },
        );
      }
      await writeProvider(database, stored);
      return provider;
    },
    remove: () => deleteProvider(database),
    async begin(redirect) {
      const provider = await needed();
      const config = await discover(provider);
      const journey = {
        verifier: openid.randomPKCECodeVerifier(),
        state: openid.randomState(),
        nonce: openid.randomNonce(),
        redirect,
      };
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: redirect,
        scope: provider.scope,
        code_challenge: await openid.calculatePKCECodeChallenge(journey.verifier),
        code_challenge_method: 'S256',
        state: journey.state,
        nonce: journey.nonce,
      });
      return { url: url.href, journey };
    },
    async end({ verifier, state, nonce, redirect }, returned) {
      const provider = await needed();
      const config = await discover(provider);
      const url = new URL(redirect);
      url.search = returned.search;
      try {
        const tokens = await openid.authorizationCodeGrant(config, url, {
          pkceCodeVerifier: verifier,
          expectedState: state,
          expectedNonce: nonce,
          idTokenExpected: true,
        });
        return { provider: shown(provider), claims: await claimsOf(config, tokens) };
      } catch (error) {
        throw new Fault(
          'auth.refused',
          `the sign-in at ${provider.issuer} was not completed: ${(error as Error).message}`,
          {
            cause: error,
            remedy:
              'Begin again at the sign-in page; if it stays so, compare the client with its entry at the provider.',
          },
        );
      }
    },
  };
}

type Tokens = Pick<Awaited<ReturnType<typeof openid.authorizationCodeGrant>>, 'access_token' | 'claims'>;

async function claimsOf(config: openid.Configuration, tokens: Tokens): Promise<Claims> {
  const claims = tokens.claims();
  if (claims === undefined) throw new Error('it sent no ID token');
  const more =
    config.serverMetadata().userinfo_endpoint === undefined
      ? {}
      : await openid.fetchUserInfo(config, tokens.access_token, claims.sub);
  return { ...more, ...claims };
}

/** The client's secret, where it has one. */
export function secretOf({ sealed }: StoredProvider, vault: Pick<Vault, 'open'>): string | undefined {
  return sealed === undefined ? undefined : vault.open(SECRET, Buffer.from(sealed, 'base64'));
}

function shown({ sealed: _, ...provider }: StoredProvider): Provider {
  return provider;
}
