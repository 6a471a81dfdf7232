import type { Cloud, CloudAbout, ConnectSettings, Driver } from '../driver.ts';
import { examine } from './examination.ts';
import { exportsFacet } from './exports.ts';
import { importsFacet } from './imports.ts';
import { inventoryOf } from './inventory.ts';
import { objectsFacet } from './marked.ts';
import { options, originOf } from './options.ts';
import { powerFacet } from './power.ts';
import { Session } from './session.ts';
import { sourcesFacet } from './sources.ts';
import { textAt } from './xml.ts';

/** VMware Cloud Director 10.3 to 10.6 (API 36.0 to 39.x), one organization or the provider. */
export const driver: Driver = {
  name: 'cloud-director',
  title: 'VMware Cloud Director',
  options,
  endpoint(values) {
    const url = originOf(values);
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
  },
  async connect(settings: ConnectSettings, signal: AbortSignal): Promise<Cloud> {
    const session = await Session.open(settings, signal);
    return {
      about: (callSignal) => about(session, callSignal),
      examine: async (callSignal) => examine(session, await about(session, callSignal), callSignal),
      inventory: inventoryOf(session),
      power: powerFacet(session),
      exports: exportsFacet(session),
      imports: importsFacet(session),
      objects: objectsFacet(session),
      sources: sourcesFacet(session),
      close: () => session.close(),
    };
  },
};

interface CurrentSession {
  user?: { name?: string };
  org?: { id?: string; name?: string };
}

async function about(session: Session, signal: AbortSignal): Promise<CloudAbout> {
  const response = await session.call({
    method: 'GET',
    href: '/cloudapi/1.0.0/sessions/current',
    what: 'read the session',
    accept: `application/json;version=${session.version}`,
    signal,
  });
  const current = JSON.parse(await response.text()) as CurrentSession;
  const time = Date.parse(response.headers.date ?? '');
  return {
    vendor: 'VMware',
    product: 'Cloud Director',
    version: await release(session, signal),
    apiVersion: session.version,
    instance: current.org?.id ?? `${session.origin}/${session.organization}`,
    user: `${current.user?.name ?? ''}@${current.org?.name ?? session.organization}`,
    ...(Number.isNaN(time) ? {} : { time: new Date(time).toISOString() }),
  };
}

/** `10.4.2.21954589` where the account may read it, else the API's version tells as much as is known. */
async function release(session: Session, signal: AbortSignal): Promise<string> {
  try {
    const description = textAt(await session.read('/api/admin', 'read the release', signal), 'Description');
    return /^\d+(?:\.\d+)+/.exec(description)?.[0] ?? `API ${session.version}`;
  } catch (error) {
    signal.throwIfAborted();
    const code = (error as { code?: unknown }).code;
    if (code === 'object.missing' || code === 'auth.forbidden') return `API ${session.version}`;
    throw error;
  }
}
