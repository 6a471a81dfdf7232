import type { Command } from 'commander';
import { wayOfEnvironment } from '../base/proxy-rules.ts';
import { plainHex, probeCertificate } from '../base/tls.ts';
import { Fault } from '../model/fault.ts';
import type { CertificateSeen } from '../model/option.ts';
import type { Client } from '../protocol/client.ts';
import { loginOidc } from './login-oidc.ts';
import { printJson, printLine } from './output.ts';
import { confirmFingerprint, readSecret } from './prompt.ts';
import { connectLast, connectTo, forgetSession, saveSession } from './session.ts';

interface LoginFlags {
  user: string;
  fingerprint?: string;
  passwordFile?: string;
  tokenFile?: string;
  oidc?: boolean;
  json?: boolean;
}

export function addLogin(program: Command): void {
  program
    .command('login <server>')
    .description('sign in to a server (host:port); its certificate is shown and confirmed once')
    .option('--user <name>', 'account name', 'admin')
    .option('--fingerprint <sha256>', 'the confirmed SHA-256 of its certificate')
    .option(
      '--password-file <file>',
      'read the password from a file (- for stdin); else CLOUDSPAN_PASSWORD or a question',
    )
    .option('--token-file <file>', 'sign in with an API token of `cloudspan tokens create` instead (- for stdin)')
    .option('--oidc', 'sign in at the OpenID provider of the server: by a code on any device, or in a browser here')
    .option('--json', 'answer as JSON')
    .addHelpText(
      'after',
      '\nthrough an HTTP proxy: CLOUDSPAN_PROXY=http://host:port, with CLOUDSPAN_PROXY_CREDENTIALS=user:password and CLOUDSPAN_NO_PROXY=list',
    )
    .action(login);
  program
    .command('logout')
    .description('end the session')
    .action(async () => {
      await using connection = await connectLast();
      await connection.client.logout({});
      await forgetSession();
    });
}

async function login(where: string, flags: LoginFlags): Promise<void> {
  const text = /^https:\/\//.test(where) ? where : `https://${where}`;
  if (!URL.canParse(text)) {
    throw new Fault('input.invalid', `"${where}" is not the address of a server`, { remedy: 'Write host:port.' });
  }
  const url = new URL(text);
  const target = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
  const seen = await probeCertificate(target, AbortSignal.timeout(30_000), { way: wayOfEnvironment(process.env) });
  if (flags.fingerprint === undefined) await confirmFingerprint(`the server ${url.host}`, seen);
  const fingerprint = plainHex(flags.fingerprint ?? seen.sha256);
  const token = await givenToken(flags);
  if (token !== undefined) return keepToken(url, fingerprint, token, known(seen, fingerprint), flags.json === true);
  await using connection = connectTo(url.origin, fingerprint);
  const answer = await (flags.oidc === true ? loginOidc(connection.client) : loginHere(connection.client, flags));
  await saveSession({
    server: url.origin,
    fingerprint,
    token: answer.token,
    user: answer.user,
    ...known(seen, fingerprint),
  });
  if (flags.json === true) printJson({ server: url.origin, user: answer.user, expires: answer.expires });
  else printLine(`signed in to ${url.host} as ${answer.user}`);
}

async function loginHere(client: Client, { user, passwordFile }: LoginFlags) {
  const password = await readSecret('Password', passwordFile, 'CLOUDSPAN_PASSWORD');
  return client.login({ body: { user, password } });
}

function known({ sha256, subject, issuer, validFrom, validTo }: CertificateSeen, fingerprint: string) {
  return sha256 === fingerprint ? { certificate: { sha256, subject, issuer, validFrom, validTo } } : {};
}

/** Of the flag, or of CLOUDSPAN_TOKEN where nothing is said about a password. */
async function givenToken({ tokenFile, passwordFile, oidc }: LoginFlags): Promise<string | undefined> {
  if (oidc === true) return undefined;
  if (tokenFile !== undefined) return (await readSecret('Token', tokenFile, 'CLOUDSPAN_TOKEN')).trim();
  const wantsPassword = passwordFile !== undefined || process.env.CLOUDSPAN_PASSWORD !== undefined;
  return wantsPassword ? undefined : process.env.CLOUDSPAN_TOKEN;
}

async function keepToken(url: URL, fingerprint: string, token: string, more: ReturnType<typeof known>, json: boolean) {
  await using connection = connectTo(url.origin, fingerprint, token);
  const { user, scope } = await connection.client.me({});
  await saveSession({ server: url.origin, fingerprint, token, user, ...more });
  if (json) printJson({ server: url.origin, user, scope });
  else printLine(`signed in to ${url.host} as ${user}, by a token (${scope})`);
}
