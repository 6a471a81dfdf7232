import type { CloudHttp } from '../../base/http.ts';
import { Fault } from '../../model/fault.ts';
import { type Account, isProvider } from './options.ts';

/**
 * Why a sign-in was refused. Cloud Director answers 401 for all of them alike, but the metadata that an organization
 * shows to identity providers can be read without a session, so an organization that is not there is told apart
 * (API Programming Guide, "About federation": `/cloud/org/<name>/saml/metadata/alias/vcd`).
 */
export async function refusedLogin(
  http: CloudHttp,
  account: Account,
  said: string,
  who: string,
  signal: AbortSignal,
): Promise<Fault> {
  const { organization, credentials } = account;
  if (!(await mayExist(http, account, signal))) {
    return new Fault('auth.refused', `${who}: there is no organization "${organization}"`, {
      remedy: 'Give its short name, as it stands in the address of its portal: /tenant/<name>.',
      details: { reason: 'organization' },
    });
  }
  if (credentials.kind === 'token') {
    const expired = /expired/i.test(said);
    return new Fault(
      'auth.refused',
      `${who}: the API token ${expired ? 'has expired' : `was refused for organization "${organization}"`}`,
      {
        remedy: expired
          ? 'Make a new token under User preferences in the portal; one that ends after the job is the best.'
          : 'It is wrong, revoked, or of another organization: make a new one under User preferences in the portal.',
        details: { reason: expired ? 'api-token-expired' : 'api-token' },
      },
    );
  }
  const { username } = credentials;
  const refused = `${who}: the sign-in of "${username}" to organization "${organization}" was refused`;
  const locked = 'Nothing is retried, so that the account is not locked.';
  if (username.includes('\\')) {
    return new Fault('auth.refused', `${refused}: its name is written like one of a domain`, {
      remedy: `An LDAP user signs in by the name that was imported, mostly without the domain; a local one never has one. ${locked}`,
      details: { reason: 'account-type' },
    });
  }
  if (username.includes('@')) {
    return new Fault('auth.refused', `${refused}: its name looks like one of a SAML or OIDC provider`, {
      remedy: `Such a user has no password here: make an API token under User preferences in the portal and give that, or use a local or LDAP account. ${locked}`,
      details: { reason: 'federated-user' },
    });
  }
  return new Fault('auth.refused', `${refused}: user or password is wrong, or the account is locked or disabled`, {
    remedy: `The organization exists. Local and LDAP users sign in by password; a user of SAML or OIDC needs an API token (User preferences in the portal). ${locked}`,
    details: { reason: 'credentials' },
  });
}

/** False only where the cloud says clearly that there is no such organization. */
async function mayExist(http: CloudHttp, { origin, organization }: Account, signal: AbortSignal): Promise<boolean> {
  if (isProvider(organization)) return true;
  try {
    const url = `${origin}/cloud/org/${encodeURIComponent(organization)}/saml/metadata/alias/vcd`;
    const { status, body } = await http.request({ method: 'GET', url, headers: { accept: '*/*' }, signal });
    body.destroy();
    return status !== 403 && status !== 404;
  } catch {
    signal.throwIfAborted();
    return true;
  }
}
