import type { CloudHttp } from '../../base/http.ts';
import { Fault } from '../../model/fault.ts';
import { childrenOf, parseXml, textAt } from './xml.ts';

/** API versions this driver was written for; a release serves several, the highest common one is taken. */
const LOWEST_MAJOR = 36;
const HIGHEST_MAJOR = 39;

export interface ApiVersion {
  /** `37.1` */
  readonly text: string;
  readonly loginUrl: string;
  readonly providerLoginUrl: string;
}

/** `GET /api/versions` (SupportedVersions), which needs no session. */
export async function negotiate(
  http: CloudHttp,
  origin: string,
  who: string,
  signal: AbortSignal,
): Promise<ApiVersion> {
  const response = await http.request({ method: 'GET', url: `${origin}/api/versions`, headers: {}, signal });
  const text = await response.text();
  if (response.status !== 200 || !/^\s*</.test(text)) {
    throw new Fault(
      'cloud.protocol',
      `${who}: ${origin} does not answer as Cloud Director does (HTTP ${response.status})`,
      {
        remedy: 'Check the address: it has to lead to Cloud Director itself.',
      },
    );
  }
  return choose(text, origin, who);
}

export function choose(document: string, origin: string, who: string): ApiVersion {
  const offered = childrenOf(parseXml(document, `${who}: /api/versions`), 'VersionInfo').map((info) => ({
    text: textAt(info, 'Version'),
    loginUrl: textAt(info, 'LoginUrl') || `${origin}/cloudapi/1.0.0/sessions`,
    providerLoginUrl: textAt(info, 'ProviderLoginUrl') || `${origin}/cloudapi/1.0.0/sessions/provider`,
  }));
  const usable = offered.filter(({ text }) => {
    const [major = 0] = numbers(text);
    return /^\d+\.\d+$/.test(text) && major >= LOWEST_MAJOR && major <= HIGHEST_MAJOR;
  });
  usable.sort((a, b) => compareVersions(a.text, b.text));
  const best = usable.at(-1);
  if (best === undefined) {
    const list = offered.map(({ text }) => text).join(', ') || 'none';
    throw new Fault('cloud.unsupported', `${who}: no common API version: offered are ${list}, needed is 36.0 to 39.x`, {
      remedy: 'Cloud Director 10.3 to 10.6 can be joined.',
    });
  }
  return best;
}

export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbers(a), numbers(b)];
  return (left[0] ?? 0) - (right[0] ?? 0) || (left[1] ?? 0) - (right[1] ?? 0);
}

function numbers(version: string): number[] {
  return version.split('.').map(Number);
}
