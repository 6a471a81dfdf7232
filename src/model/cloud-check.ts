/** What is found out about a cloud before it is added, and again on request. */

import type { Check } from './check.ts';

/** What Cloudspan wants of every cloud. */
export const CAPABILITIES = ['inventory', 'power', 'copy-out', 'copy-in', 'media', 'undo'] as const;
export type CapabilityName = (typeof CAPABILITIES)[number];

/** How far one of them goes in this cloud: with its release, and by this account. */
export interface Capability {
  name: CapabilityName;
  /** `degraded`: in parts of the cloud only, or with something left out. */
  state: 'works' | 'degraded' | 'missing';
  /** What that rests on, one sentence. */
  found: string;
  /** Of degraded and missing: what to do. */
  remedy?: string;
}

/** What a signed-in session says about itself; `checks` are at least `version` and `privileges`. */
export interface Examination {
  checks: Check[];
  /** Each of `CAPABILITIES` once. */
  capabilities: Capability[];
}

/** The privileges as one check: the capabilities that the account or the release cuts short, by name. */
export function privilegesCheck(user: string, capabilities: readonly Capability[], remedy: string): Check {
  const short = capabilities.filter(({ state }) => state !== 'works');
  const name = 'privileges';
  if (short.length === 0) return { name, outcome: 'pass', found: `"${user}" may do all that Cloudspan needs.` };
  const blind = short.some((one) => one.name === 'inventory' && one.state === 'missing');
  return {
    name,
    outcome: blind ? 'fail' : 'warn',
    found: `"${user}" may not do everything: ${short.map((one) => `${one.name} is ${one.state}`).join(', ')}.`,
    remedy,
    reason: 'privileges',
  };
}
