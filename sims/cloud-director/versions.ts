import { Refusal } from './refusal.ts';
import { versionsNamespace } from './xml/namespaces.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

/** `GET /api/versions`: needs neither login nor version. From 33.0 on the login is the cloudapi one. */
export function versionsDocument(href: (path: string) => string, versions: readonly string[]): Markup {
  return el(
    'SupportedVersions',
    { xmlns: versionsNamespace },
    versions.map((version) => {
      const modern = Number(version) >= 33;
      return el(
        'VersionInfo',
        { deprecated: Number(version) < 35 },
        leaf('Version', version),
        leaf('LoginUrl', href(modern ? '/cloudapi/1.0.0/sessions' : '/api/sessions')),
        modern ? leaf('ProviderLoginUrl', href('/cloudapi/1.0.0/sessions/provider')) : null,
      );
    }),
  );
}

/** The version a call asks for, out of the first `Accept` that names one; the newest when none does. 406 when unknown. */
export function versionOf(accept: string | undefined, versions: readonly string[]): number {
  const asked = /;\s*version=([^,;\s]+)/.exec(accept ?? '')?.[1];
  const newest = versions.at(-1) ?? '37.0';
  if (asked === undefined) return Number(newest);
  const wanted = asked.replace(/^(\d+)$/, '$1.0');
  if (!versions.includes(wanted)) {
    throw new Refusal(
      406,
      'NOT_ACCEPTABLE',
      `The request has invalid accept header: the API version ${asked} is not supported.`,
    );
  }
  return Number(wanted);
}
