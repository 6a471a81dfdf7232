import { BlockList, isIP } from 'node:net';
import { Fault } from '../model/fault.ts';
import type { HttpProxy, Way } from '../model/proxy.ts';

export interface ProxyRules {
  /** `http://host:port`, without user name and password. */
  url: string;
  /**
   * Lines: `user:password` for any proxy, or `host:port user:password` for one. Comes from a file or the environment,
   * never from a command line.
   */
  credentials?: string;
  /**
   * Targets that are dialled straight, by comma or space: a name (with everything below it), `.name`, an address, a
   * network (`10.0.0.0/8`, `fd00::/8`), each with `:port` if only that port is meant (`[::1]:443`), or `*`. Addresses and
   * networks fit targets that are given as addresses: no name is looked up for it.
   */
  exceptions?: string;
}

/** The way through one proxy, around it for the exceptions. Fault `input.invalid`; no credential is ever in its text. */
export function createWay({ url, credentials = '', exceptions = '' }: ProxyRules): Way {
  const { host, port } = readProxyUrl(url);
  const known = credentialsFor(`${host}:${port}`, credentials);
  const proxy: HttpProxy = { host, port, ...(known === undefined ? {} : { credentials: known }) };
  const excepted = readExceptions(exceptions);
  return (target) => (excepted.some((fits) => fits(target)) ? null : proxy);
}

function readProxyUrl(text: string): { host: string; port: number } {
  const refuse = (why: string) =>
    new Fault('input.invalid', `the address of the proxy ${why}`, { remedy: 'Write http://host:port.' });
  const whole = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(whole)) throw refuse('cannot be read');
  const url = new URL(whole);
  if (url.username !== '' || url.password !== '') {
    throw new Fault('input.invalid', 'the address of the proxy must not hold a user name or password', {
      remedy: 'Put user:password into a file for --proxy-credentials, or into CLOUDSPAN_PROXY_CREDENTIALS.',
    });
  }
  if (url.protocol !== 'http:') throw refuse(`begins with ${url.protocol}//, only http:// is spoken with proxies`);
  if (url.pathname !== '/' || url.search !== '') throw refuse('must not have a path');
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 80) };
}

function credentialsFor(proxy: string, text: string): string | undefined {
  let general: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const match = /^(\S+:\d+)[ \t]+(.*:.*)$/.exec(line);
    if (match?.[1] === proxy) return match[2];
    if (match !== null || line.trim() === '') continue;
    if (!line.includes(':')) {
      throw new Fault('input.invalid', 'a line of the proxy credentials has not the form user:password');
    }
    general ??= line;
  }
  return general;
}

type Fits = (target: { host: string; port: number }) => boolean;

function readExceptions(text: string): Fits[] {
  return text
    .split(/[\s,]+/)
    .filter((one) => one !== '')
    .map(readException);
}

function readException(text: string): Fits {
  if (text === '*') return () => true;
  const [host, port] = splitPort(text);
  const samePort = (target: { port: number }) => port === undefined || target.port === port;
  const [address = '', bits] = host.split('/');
  const family = isIP(address);
  if (family !== 0) {
    const list = new BlockList();
    const kind = family === 6 ? 'ipv6' : 'ipv4';
    try {
      list.addSubnet(address, bits === undefined ? (family === 6 ? 128 : 32) : Number(bits), kind);
    } catch (error) {
      throw new Fault('input.invalid', `"${text}" is no network`, { cause: error });
    }
    return (target) => {
      const targetFamily = isIP(target.host);
      return targetFamily !== 0 && samePort(target) && list.check(target.host, targetFamily === 6 ? 'ipv6' : 'ipv4');
    };
  }
  const name = host
    .toLowerCase()
    .replace(/^\*?\./, '')
    .replace(/\.$/, '');
  if (name === '' || !/^[^/\s*]+$/.test(name))
    throw new Fault('input.invalid', `"${text}" is no exception from a proxy`);
  return (target) => {
    const asked = target.host.toLowerCase().replace(/\.$/, '');
    return samePort(target) && (asked === name || asked.endsWith(`.${name}`));
  };
}

function splitPort(text: string): [string, number | undefined] {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text);
  if (bracketed !== null) return [bracketed[1] ?? '', bracketed[2] === undefined ? undefined : Number(bracketed[2])];
  const match = /^([^:]+):(\d+)$/.exec(text);
  return match === null ? [text, undefined] : [match[1] ?? '', Number(match[2])];
}

/** The way of this process by its environment: CLOUDSPAN_PROXY, CLOUDSPAN_PROXY_CREDENTIALS, CLOUDSPAN_NO_PROXY. */
export function wayOfEnvironment(environment: NodeJS.ProcessEnv): Way {
  const url = environment.CLOUDSPAN_PROXY;
  if (url === undefined || url === '') return () => null;
  return createWay({
    url,
    credentials: environment.CLOUDSPAN_PROXY_CREDENTIALS ?? '',
    exceptions: environment.CLOUDSPAN_NO_PROXY ?? '',
  });
}
