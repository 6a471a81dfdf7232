import { readFile } from 'node:fs/promises';
import { createWay } from '../base/proxy-rules.ts';
import { Fault } from '../model/fault.ts';
import type { Way } from '../model/proxy.ts';
import type { NodeReach } from '../protocol/link.ts';
import type { Ways } from './outward.ts';

export interface ProxySettings {
  /** For every way out; `CLOUDSPAN_PROXY` where absent. */
  proxy?: string;
  /** File with the lines of `ProxyRules.credentials`; `CLOUDSPAN_PROXY_CREDENTIALS` where absent. Read once. */
  proxyCredentials?: string;
  /** `CLOUDSPAN_NO_PROXY` where absent. */
  noProxy?: string;
  /** For one way out instead; `none`: straight. */
  serverProxy?: string;
  peerProxy?: string;
  cloudProxy?: string;
}

const LEGS = ['server', 'peer', 'cloud'] as const;

/** The ways out of a node. The credentials stay in memory. Fault `input.invalid`. */
export async function readProxies(
  settings: ProxySettings,
  environment: NodeJS.ProcessEnv,
): Promise<{ ways: Ways; proxies: NodeReach['proxies'] }> {
  const credentials = await readCredentials(settings.proxyCredentials, environment);
  const exceptions = settings.noProxy ?? environment.CLOUDSPAN_NO_PROXY ?? '';
  const general = settings.proxy ?? (environment.CLOUDSPAN_PROXY || 'none');
  const legs = { server: settings.serverProxy, peer: settings.peerProxy, cloud: settings.cloudProxy };
  const ways: Partial<Record<(typeof LEGS)[number], Way>> = {};
  const proxies: NodeReach['proxies'] = {};
  for (const leg of LEGS) {
    const url = legs[leg] ?? general;
    if (url === 'none') continue;
    ways[leg] = createWay({ url, credentials, exceptions });
    proxies[leg] = url.replace(/^http:\/\//, '').replace(/\/$/, '');
  }
  const straight: Way = () => null;
  return { ways: { server: straight, peer: straight, cloud: straight, ...ways }, proxies };
}

async function readCredentials(file: string | undefined, environment: NodeJS.ProcessEnv): Promise<string> {
  if (file === undefined) return environment.CLOUDSPAN_PROXY_CREDENTIALS ?? '';
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Fault('input.invalid', `the file of --proxy-credentials cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
