import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Lab } from './lab.ts';
import { type Invocation, singleton } from './managed.ts';
import { type Data, ref, text } from './value.ts';
import { VimFault } from './vim-fault.ts';
import type { WorldAccount } from './world.ts';

export type Session = {
  /** The value in the cookie, which is not the key a client sees. */
  secret: string;
  key: string;
  user: string;
  /** Undefined: the lab's own account. */
  account: WorldAccount | undefined;
  locale: string;
  loginTime: string;
  lastActive: number;
  calls: number;
  peer: string;
  userAgent: string;
  /** Views, filters and collectors that end with the session. */
  onEnd: Set<() => void>;
  objects: Map<string, unknown>;
};

function same(left: string, right: string): boolean {
  const digest = (value: string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(left), digest(right));
}

const COOKIE = 'vmware_soap_session';

/** The sessions of this run. None survives a restart, as with the vendor. */
export class SessionBook {
  readonly #lab: Lab;
  readonly #user: string;
  readonly #password: string;
  readonly #open = new Map<string, Session>();
  refusedLogins = 0;
  /** Beside the lab's own. */
  accounts: readonly WorldAccount[] = [];

  constructor(lab: Lab, user: string, password: string) {
    this.#lab = lab;
    this.#user = user;
    this.#password = password;
  }

  get list(): Session[] {
    this.#sweep();
    return [...this.#open.values()];
  }

  accepts(user: string, password: string): boolean {
    return same(user.toLowerCase(), this.#user.toLowerCase()) && same(password, this.#password);
  }

  #accountOf(user: string, password: string): WorldAccount | undefined {
    return this.accounts.find(
      (one) => same(user.toLowerCase(), one.user.toLowerCase()) && same(password, one.password),
    );
  }

  /** The user the account is called in tasks: `DOMAIN\name`. */
  static display(user: string): string {
    const [name, domain] = user.split('@');
    return domain ? `${domain.toUpperCase()}\\${name}` : user;
  }

  login(call: Invocation, user: string, password: string, locale: string): Session {
    const account = this.#accountOf(user, password);
    if (account === undefined && !this.accepts(user, password)) {
      this.refusedLogins++;
      throw new VimFault('InvalidLogin', 'Cannot complete login due to an incorrect user name or password.');
    }
    if (account?.expired === true) throw new VimFault('PasswordExpired', 'The password of the account has expired.');
    if (account?.privileges.length === 0) {
      throw new VimFault('NoPermission', 'Permission to perform this operation was denied.', {
        privilegeId: 'System.View',
      });
    }
    const now = Date.now();
    const session: Session = {
      secret: randomBytes(20).toString('hex'),
      key: crypto.randomUUID(),
      user: SessionBook.display(account?.user ?? this.#user),
      account,
      locale,
      loginTime: new Date(now).toISOString(),
      lastActive: now,
      calls: 0,
      peer: call.peer,
      userAgent: call.userAgent,
      onEnd: new Set(),
      objects: new Map(),
    };
    this.#open.set(session.secret, session);
    this.#lab.handedOut.add(session.secret);
    return session;
  }

  byCookie(header: string | undefined): Session | undefined {
    this.#sweep();
    for (const part of header?.split(';') ?? []) {
      const [name, ...rest] = part.trim().split('=');
      if (name !== COOKIE) continue;
      const found = this.#open.get(rest.join('=').replaceAll('"', ''));
      if (found) return found;
    }
    return undefined;
  }

  byKey(key: string): Session | undefined {
    return this.list.find((session) => session.key === key);
  }

  touch(session: Session): void {
    session.lastActive = Date.now();
    session.calls++;
  }

  end(session: Session): void {
    this.#open.delete(session.secret);
    for (const end of session.onEnd) end();
    this.#lab.changed();
  }

  endAll(): void {
    for (const session of [...this.#open.values()]) this.end(session);
  }

  #sweep(): void {
    const oldest = Date.now() - this.#lab.options.sessionIdleSeconds * 1000;
    for (const session of [...this.#open.values()]) if (session.lastActive < oldest) this.end(session);
  }
}

function userSession(session: Session): Data {
  return {
    _type: 'UserSession',
    key: session.key,
    userName: session.user,
    fullName: session.user,
    loginTime: session.loginTime,
    lastActiveTime: new Date(session.lastActive).toISOString(),
    locale: session.locale,
    messageLocale: session.locale,
    extensionSession: false,
    ipAddress: session.peer,
    userAgent: session.userAgent,
    callCount: session.calls,
  };
}

export function notAuthenticated(type: string, id: string): VimFault {
  return new VimFault('NotAuthenticated', 'The session is not authenticated.', {
    object: ref(type, id),
    privilegeId: 'System.View',
  });
}

export const sessionManager = singleton(
  'SessionManager',
  'SessionManager',
  {
    sessionList: (lab) => lab.sessions.list.map(userSession),
    supportedLocaleList: () => ['en'],
    messageLocaleList: () => ['en'],
    defaultLocale: () => 'en',
  },
  {
    Login(call, args) {
      const session = call.lab.sessions.login(
        call,
        text(args, 'userName') ?? '',
        text(args, 'password') ?? '',
        text(args, 'locale') ?? 'en',
      );
      call.headers['set-cookie'] = `${COOKIE}="${session.secret}"; Path=/; HttpOnly; Secure; `;
      return userSession(session);
    },
    Logout(call) {
      if (call.session) call.lab.sessions.end(call.session);
      return undefined;
    },
    SessionIsActive: (call, args) => call.lab.sessions.byKey(text(args, 'sessionID') ?? '') !== undefined,
    TerminateSession(call, args) {
      const keys = args.sessionId;
      for (const key of Array.isArray(keys) ? keys : []) {
        const session = call.lab.sessions.byKey(String(key));
        if (!session) throw new VimFault('NotFound', 'The session is not known.');
        call.lab.sessions.end(session);
      }
      return undefined;
    },
  },
);

/** `currentSession` belongs to who asks; the PropertyCollector reads it with the caller's session. */
export function currentSession(session: Session | undefined): Data | undefined {
  return session && userSession(session);
}
