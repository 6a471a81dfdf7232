/** Signing in at an OpenID provider: in the browser (authorization code with PKCE), and from a terminal. */
import { z } from 'zod';
import { ROLES } from '../../model/rights.ts';
import { LoginAnswerSchema } from './account.ts';
import { type ApiOperation, nothing } from './operation.ts';

/** Where a browser begins; not part of the API, since it answers with redirects. */
export const PROVIDER_START = '/sign-in/provider/start';
export const PROVIDER_CALLBACK = '/sign-in/provider/callback';
/** Query parameter of the page to which a refused sign-in leads back: the code of the fault. */
export const PROVIDER_REFUSED = 'refused';

const ProviderSchema = z.object({
  /** What the button says. */
  label: z.string().min(1).max(64),
  issuer: z.url({ protocol: /^https$/ }),
  clientId: z.string().min(1).max(256),
  scope: z.string().max(512).default('openid profile email'),
  /** Claim that becomes the name of the account at its first sign-in. */
  nameClaim: z.string().max(128).default('preferred_username'),
  /** Claim whose value, or one of whose values, gives the role; the highest that fits, at every sign-in anew. */
  rolesClaim: z.string().max(128).optional(),
  roles: z.record(z.string(), z.enum(ROLES)).default({}),
  /** For those whom no value gives a role; null lets them not in. */
  defaultRole: z.enum(ROLES).nullable().default(null),
  /** PEM of the CA of the provider, where it is not one of those known here. */
  ca: z.string().max(100_000).optional(),
});
export type Provider = z.output<typeof ProviderSchema>;

/** A sign-in from the command line that has begun; `ticket` is handed back at its end. */
export const SignInBegunSchema = z.discriminatedUnion('way', [
  /** Somebody opens `url` anywhere and enters `code`; meanwhile the end is asked for every so often. */
  z.object({
    way: z.literal('device'),
    ticket: z.string(),
    url: z.string(),
    urlWithCode: z.string().optional(),
    code: z.string(),
    intervalSeconds: z.number(),
    expires: z.string(),
  }),
  /** A browser on the same machine opens `url` and is sent back to the redirect that was given. */
  z.object({ way: z.literal('browser'), ticket: z.string(), url: z.string(), expires: z.string() }),
]);
export type SignInBegun = z.infer<typeof SignInBegunSchema>;

export const providerOperations = {
  beginSignIn: {
    method: 'POST',
    path: '/sign-in/begin',
    summary: 'Begin to sign in at the OpenID provider from a terminal',
    /** `http://127.0.0.1:<port>/…` or `http://[::1]:<port>/…`, for a provider without device authorization. */
    body: z.object({ redirect: z.string().max(256).optional() }),
    answer: SignInBegunSchema,
    needs: 'nothing',
    audit: false,
  },
  endSignIn: {
    method: 'POST',
    path: '/sign-in/end',
    summary: 'The session, once somebody has signed in at the provider; an answer without one: not yet',
    body: z.object({
      ticket: z.string().max(8192),
      /** Path and query with which the browser came back. */
      returned: z.string().max(8192).optional(),
    }),
    answer: z.object({ session: LoginAnswerSchema.optional() }),
    needs: 'nothing',
    /** It is asked again and again; what comes of it is in the log as `login`. */
    audit: false,
  },
  signInWays: {
    method: 'GET',
    path: '/sign-in',
    summary: 'How one can sign in besides a password',
    answer: z.object({ provider: z.object({ label: z.string() }).nullable() }),
    needs: 'nothing',
  },
  getProvider: {
    method: 'GET',
    path: '/sign-in/provider',
    summary: 'The OpenID provider, without the secret',
    answer: z.object({ provider: ProviderSchema.nullable() }),
    needs: 'administrator',
  },
  setProvider: {
    method: 'PUT',
    path: '/sign-in/provider',
    summary: 'Let people sign in at an OpenID provider; it is asked for its description first',
    body: ProviderSchema.extend({
      /** Goes into the vault; absent for a public client. */
      clientSecret: z.string().max(4096).optional(),
    }),
    answer: ProviderSchema,
    needs: 'administrator',
    audit: ['label', 'issuer', 'clientId', 'scope', 'nameClaim', 'rolesClaim', 'roles', 'defaultRole'],
  },
  removeProvider: {
    method: 'DELETE',
    path: '/sign-in/provider',
    summary: 'No longer let people sign in there; their accounts stay',
    answer: nothing,
    needs: 'administrator',
  },
} as const satisfies Record<string, ApiOperation>;
