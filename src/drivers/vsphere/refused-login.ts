import { Fault } from '../../model/fault.ts';

/**
 * Why a login was refused. The API tells a password that has run out and an account without any permission apart; a
 * wrong name, a wrong password and a locked account look the same to it.
 */
export function refusedLogin(who: string, username: string, type: string): Fault {
  const refused = `${who}: the login of "${username}" was refused`;
  if (type === 'PasswordExpired') {
    return new Fault('auth.refused', `${refused}: its password has expired`, {
      remedy: 'Set a new password for the account, then give that.',
      details: { reason: 'password-expired' },
    });
  }
  if (type === 'NoPermission') {
    return new Fault('auth.refused', `${refused}: name and password are right, but it has no permission on anything`, {
      remedy: 'Give the account a role on what Cloudspan shall see: docs/drivers/vsphere.md has the privileges.',
      details: { reason: 'no-rights' },
    });
  }
  if (!/[@\\]/.test(username)) {
    return new Fault('auth.refused', `${refused}: user name or password is wrong, or the account is locked`, {
      remedy: `vCenter wants the domain with the name ("${username}@vsphere.local", or "DOMAIN\\${username}" for one of Active Directory or LDAP); an ESXi host wants it without. Nothing is retried, so that the account is not locked.`,
      details: { reason: 'account-type' },
    });
  }
  return new Fault('auth.refused', `${refused}: user name or password is wrong, or the account is locked`, {
    remedy:
      'Check name and password; an account of a federated identity provider has no password here. Nothing is retried, so that the account is not locked.',
    details: { reason: 'credentials' },
  });
}
