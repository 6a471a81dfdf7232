import { randomBytes, randomUUID, scryptSync, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type Call, document, get, noContent, post, type Reply, type Route, remove } from './call.ts';
import type { Session, User } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { link, urn } from './references.ts';
import { badRequest, Refusal, unauthorized } from './refusal.ts';
import { roleIdOf } from './rights.ts';
import type { Caller, Simulator } from './simulator.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { el } from './xml/writer.ts';

export const systemOrg = 'System';

export function hashPassword(password: string): string {
  const salt = randomBytes(16);
  return `${salt.toString('hex')}:${scryptSync(password, salt, 32, { N: 1024 }).toString('hex')}`;
}

function passwordFits(password: string, hash: string): boolean {
  const [salt = '', wanted = ''] = hash.split(':');
  const got = scryptSync(password, Buffer.from(salt, 'hex'), 32, { N: 1024 });
  return wanted.length === 64 && timingSafeEqual(got, Buffer.from(wanted, 'hex'));
}

/** Finds whose call it is; undefined when there is no token, 401 when it is unknown or expired. */
export function authenticate(sim: Simulator, headers: IncomingHttpHeaders): Caller | undefined {
  const token = tokenIn(headers);
  if (token === undefined) return undefined;
  const session = sim.store.all('session').find((candidate) => candidate.token === token);
  if (session === undefined) throw unauthorized();
  const idle = (Date.now() - Date.parse(session.touched)) / 1000;
  const user = sim.store.get('user', session.user);
  if (idle > sim.sessionIdleSeconds || user === undefined) {
    sim.store.remove('session', session.id);
    throw unauthorized();
  }
  session.touched = new Date().toISOString();
  // Kept once a minute only: a restart may shorten a session by that much, never lengthen it.
  if (idle > 60) sim.store.put('session', session);
  return { session, user, system: isSystem(sim, user.org) };
}

function isSystem(sim: Simulator, org: string): boolean {
  return sim.store.get('org', org)?.name === systemOrg;
}

function tokenIn(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^bearer\s+(.+)$/i.exec(headers.authorization ?? '');
  if (bearer !== null) return bearer[1];
  const header = headers['x-vmware-vcloud-access-token'] ?? headers['x-vcloud-authorization'];
  if (typeof header === 'string' && header !== '') return header;
  return /(?:^|;\s*)vcloud-token=([^;]+)/.exec(headers.cookie ?? '')?.[1];
}

/** Checks `Basic user@org:password`; the organization is what follows the last `@`. */
function basicLogin(call: Call): User {
  const { store } = call.sim;
  const encoded = /^basic\s+(\S+)$/i.exec(call.request.headers.authorization ?? '');
  if (encoded === null) throw unauthorized();
  const text = Buffer.from(encoded[1]!, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const at = text.lastIndexOf('@', colon);
  if (colon < 0 || at < 0) throw unauthorized();
  const orgName = text.slice(at + 1, colon).toLowerCase();
  const name = text.slice(0, at).toLowerCase();
  const org = store.all('org').find((candidate) => candidate.name.toLowerCase() === orgName);
  const user = store
    .all('user')
    .find((candidate) => candidate.org === org?.id && candidate.name.toLowerCase() === name);
  if (user === undefined || !passwordFits(text.slice(colon + 1), user.passwordHash)) throw unauthorized();
  // The identity provider alone knows whether such a password is right.
  if (user.provider === 'SAML' || user.provider === 'OAUTH') throw unauthorized();
  return user;
}

function openSession(call: Call, user: User, legacy: boolean): Session {
  const now = new Date().toISOString();
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = legacy
    ? randomBytes(16).toString('hex')
    : `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ sub: user.name, jti: randomUUID() })}.${randomBytes(32).toString('base64url')}`;
  const session: Session = {
    id: randomUUID(),
    name: user.name,
    description: '',
    org: user.org,
    created: now,
    metadata: [],
    user: user.id,
    token,
    touched: now,
    legacy,
  };
  call.sim.store.put('session', session);
  return session;
}

function sessionJson(call: Call, session: Session): unknown {
  const user = call.sim.store.must('user', session.user);
  const org = call.sim.store.must('org', user.org);
  return {
    id: urn('session', session.id),
    site: { name: 'lab', id: `urn:vcloud:site:${org.id}` },
    user: { name: user.name, id: urn('user', user.id) },
    org: { name: org.name, id: urn('org', org.id) },
    operatingOrg: { name: org.name, id: urn('org', org.id) },
    location: `${org.id}@${org.id}`,
    roles: [user.role],
    roleRefs: [{ name: user.role, id: urn('role', roleIdOf(user)) }],
    sessionIdleTimeoutMinutes: Math.ceil(call.sim.sessionIdleSeconds / 60),
  };
}

function sessionDocument(call: Call, session: Session): Reply {
  const user = call.sim.store.must('user', session.user);
  const org = call.sim.store.must('org', user.org);
  const system = isSystem(call.sim, org.id);
  return document(
    mediaTypes.session,
    el(
      'Session',
      {
        ...apiDeclarations,
        org: org.name,
        user: user.name,
        userId: urn('user', user.id),
        roles: user.role,
        locationId: `${org.id}@${org.id}`,
        href: call.href('/api/session'),
        type: mediaTypes.session,
      },
      link(call, 'down', `/api/org/${org.id}`, mediaTypes.org, org.name),
      link(call, 'remove', '/api/session'),
      link(call, 'down', '/api/org/', mediaTypes.orgList),
      link(call, 'down', '/api/admin/', mediaTypes.vcloud),
      system ? link(call, 'down', '/api/admin/extension', 'application/vnd.vmware.admin.vmwExtension+xml') : null,
      link(call, 'down', '/api/query', mediaTypes.queryList),
      link(call, 'entityResolver', '/api/entity/', mediaTypes.entity),
      link(call, 'down:extensibility', '/api/extensibility', 'application/vnd.vmware.vcloud.apiextensibility+xml'),
      link(call, 'openapi', '/cloudapi', 'application/json'),
    ),
  );
}

function legacyLogin(call: Call): Reply {
  const session = openSession(call, basicLogin(call), true);
  const reply = sessionDocument(call, session);
  const headers: Record<string, string> = {
    'x-vcloud-authorization': session.token,
    'set-cookie': `vcloud-token=${session.token}; Secure; HttpOnly; Path=/`,
  };
  if (call.version >= 30) {
    headers['X-VMWARE-VCLOUD-ACCESS-TOKEN'] = session.token;
    headers['X-VMWARE-VCLOUD-TOKEN-TYPE'] = 'Bearer';
  }
  return { ...reply, headers };
}

function cloudLogin(call: Call, provider: boolean): Reply {
  const user = basicLogin(call);
  if (isSystem(call.sim, user.org) !== provider) throw unauthorized();
  const session = openSession(call, user, false);
  return {
    status: 200,
    json: sessionJson(call, session),
    headers: { 'X-VMWARE-VCLOUD-ACCESS-TOKEN': session.token, 'X-VMWARE-VCLOUD-TOKEN-TYPE': 'Bearer' },
  };
}

function logout(call: Call): Reply {
  call.sim.store.remove('session', call.caller.session.id);
  return noContent;
}

async function exchangeToken(call: Call, orgName: string): Promise<Reply> {
  const { store } = call.sim;
  const form = new URLSearchParams(await call.text());
  const grant = form.get('grant_type');
  if (grant === 'refresh_token') {
    const found = store
      .all('apiToken')
      .find((token) => token.token !== null && token.token === form.get('refresh_token'));
    const user = found === undefined ? undefined : store.get('user', found.user);
    const org = user === undefined ? undefined : store.get('org', user.org);
    if (user === undefined || org?.name.toLowerCase() !== orgName.toLowerCase()) {
      throw new Refusal(400, 'invalid_grant', 'The API token is not valid for this organization.');
    }
    if (found?.expired === true) throw new Refusal(400, 'invalid_grant', 'The API token has expired.');
    const session = openSession(call, user, false);
    return {
      status: 200,
      json: { access_token: session.token, token_type: 'Bearer', expires_in: 3600, refresh_token: null },
    };
  }
  if (grant !== 'urn:ietf:params:oauth:grant-type:jwt-bearer')
    throw badRequest(`The grant type "${grant ?? ''}" is not supported.`);
  const session = store.all('session').find((candidate) => candidate.token === form.get('assertion'));
  const entry = store
    .all('apiToken')
    .find((token) => token.clientId === form.get('client_id') && token.user === session?.user);
  if (session === undefined || entry === undefined)
    throw new Refusal(400, 'invalid_grant', 'The client or the assertion is unknown.');
  const token = randomBytes(16).toString('hex');
  store.change('apiToken', entry.id, { token });
  return {
    status: 200,
    json: { access_token: session.token, token_type: 'Bearer', expires_in: 3600, refresh_token: token },
  };
}

async function registerClient(call: Call): Promise<Reply> {
  const body = (await call.json()) as { client_name?: unknown };
  if (typeof body?.client_name !== 'string' || body.client_name === '') throw badRequest('client_name is missing.');
  const { user } = call.caller;
  const id = randomUUID();
  call.sim.store.put('apiToken', {
    id,
    name: body.client_name,
    description: '',
    org: user.org,
    created: new Date().toISOString(),
    metadata: [],
    user: user.id,
    clientId: id,
    token: null,
  });
  return {
    status: 200,
    json: {
      client_name: body.client_name,
      client_id: id,
      grant_types: ['urn:ietf:params:oauth:grant-type:jwt-bearer'],
      token_endpoint_auth_method: 'none',
    },
  };
}

function listTokens(call: Call): Reply {
  const own = call.sim.store
    .all('apiToken')
    .filter((token) => token.user === call.caller.user.id && token.token !== null);
  const values = own.map((token) => ({
    id: `urn:vcloud:token:${token.id}`,
    name: token.name,
    token: null,
    owner: { name: call.caller.user.name, id: urn('user', token.user) },
    org: { id: urn('org', token.org) },
    type: 'REFRESH',
  }));
  return {
    status: 200,
    json: { resultTotal: values.length, pageCount: 1, page: 1, pageSize: 128, associations: null, values },
  };
}

export const sessionRoutes: Route[] = [
  { method: 'POST', path: '/api/sessions', handler: legacyLogin, open: true },
  { method: 'POST', path: '/cloudapi/1.0.0/sessions', handler: (call) => cloudLogin(call, false), open: true },
  { method: 'POST', path: '/cloudapi/1.0.0/sessions/provider', handler: (call) => cloudLogin(call, true), open: true },
  {
    method: 'POST',
    path: '/oauth/tenant/:org/token',
    handler: (call) => exchangeToken(call, call.params.org ?? ''),
    open: true,
  },
  { method: 'POST', path: '/oauth/provider/token', handler: (call) => exchangeToken(call, systemOrg), open: true },
  post('/oauth/tenant/:org/register', registerClient),
  post('/oauth/provider/register', registerClient),
  get('/cloudapi/1.0.0/tokens', listTokens),
  remove('/cloudapi/1.0.0/tokens/:id', (call) => {
    const token = call.entity('apiToken', call.id.replace(/^urn:vcloud:token:/, ''));
    if (token.user !== call.caller.user.id) throw unauthorized();
    call.sim.store.remove('apiToken', token.id);
    return noContent;
  }),
  get('/api/session', (call) => sessionDocument(call, call.caller.session)),
  remove('/api/session', logout),
  get('/cloudapi/1.0.0/sessions/current', (call) => ({ status: 200, json: sessionJson(call, call.caller.session) })),
  remove('/cloudapi/1.0.0/sessions', logout),
  remove('/cloudapi/1.0.0/sessions/:id', logout),
];
