import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { PROVIDER_CALLBACK, PROVIDER_REFUSED, PROVIDER_START } from '../../protocol/api/provider.ts';
import type { Auth } from '../auth.ts';
import { providedAccount } from '../people/provided-account.ts';
import type { Journey, SignInProvider } from '../people/provider.ts';
import { beginAudit, endAudit } from '../store/audit.ts';
import type { Database } from '../store/database.ts';
import type { Vault } from '../vault.ts';
import { setSessionCookie } from './session.ts';

const COOKIE = 'cloudspan_sign_in';
const MINUTES = 10;
/** Lax: the browser comes back from another site. It is sealed, used once and short-lived. */
const OPTIONS = { path: '/sign-in', httpOnly: true, secure: true, sameSite: 'lax' as const };

export interface ProviderOptions {
  provider: SignInProvider;
  auth: Auth;
  database: Database;
  vault: Vault;
  log: Log;
}

/** The two addresses of a sign-in at the OpenID provider. What fails leads back to the sign-in page with the fault's code. */
export function serveProvider(app: FastifyInstance, { provider, auth, database, vault, log }: ProviderOptions): void {
  const refuse = (reply: FastifyReply, error: unknown) => {
    const fault = Fault.from(error, 'sign-in');
    log.info({ fault: fault.report() }, 'a sign-in at the provider was refused');
    return reply.clearCookie(COOKIE, OPTIONS).redirect(`/?${PROVIDER_REFUSED}=${fault.code}`);
  };

  app.get(PROVIDER_START, { schema: { hide: true } }, async (request, reply) => {
    try {
      const { url, journey } = await provider.begin(`https://${request.host}${PROVIDER_CALLBACK}`);
      const sealed = vault.seal(COOKIE, JSON.stringify({ ...journey, until: Date.now() + MINUTES * 60_000 }));
      return reply
        .setCookie(COOKIE, sealed.toString('base64url'), { ...OPTIONS, maxAge: MINUTES * 60 })
        .header('cache-control', 'no-store')
        .redirect(url);
    } catch (error) {
      return refuse(reply, error);
    }
  });

  app.get(PROVIDER_CALLBACK, { schema: { hide: true } }, async (request, reply) => {
    const begun = { account: '(unknown)', address: request.ip, via: 'provider', action: 'login', subject: '' };
    const number = await beginAudit(database, begun);
    let subject = '';
    try {
      const journey = journeyOf(vault, request.cookies[COOKIE]);
      const { provider: asked, claims } = await provider.end(journey, new URL(request.url, journey.redirect));
      subject = `${claims.iss} ${claims.sub}`;
      const account = await providedAccount(database, asked, claims);
      const session = await auth.admit(account);
      await endAudit(database, number, { account: account.name, subject, outcome: 'done' });
      setSessionCookie(reply, session);
      return reply.clearCookie(COOKIE, OPTIONS).redirect('/');
    } catch (error) {
      const outcome = Fault.from(error, 'sign-in').code;
      await endAudit(database, number, { account: begun.account, subject, outcome });
      return refuse(reply, error);
    }
  });
}

function journeyOf(vault: Vault, cookie: string | undefined): Journey {
  const lost = new Fault('auth.refused', 'the sign-in did not begin in this browser, or too long ago', {
    remedy: 'Begin again at the sign-in page.',
  });
  if (cookie === undefined) throw lost;
  let journey: Journey & { until: number };
  try {
    journey = JSON.parse(vault.open(COOKIE, Buffer.from(cookie, 'base64url')));
  } catch {
    throw lost;
  }
  if (journey.until < Date.now()) throw lost;
  return journey;
}
