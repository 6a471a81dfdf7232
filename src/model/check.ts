/** One named check of a preflight. */
export interface Check {
  /** `machine-powered-off`, `name-free`, `space`. */
  name: string;
  outcome: 'pass' | 'warn' | 'fail';
  /** What was looked at and found, one sentence. */
  found: string;
  /** Of warn and fail: what to do. */
  remedy?: string;
  /** Of some failures: the cause as one word, for programs: `organization`, `credentials`, `api-token`. */
  reason?: string;
}
