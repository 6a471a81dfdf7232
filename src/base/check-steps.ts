import type { Check } from '../model/check.ts';
import { Fault } from '../model/fault.ts';

/** Steps that are tried before anything is touched, and what each found, in their order. */
export interface CheckSteps {
  readonly checks: Check[];
  /** The step's answer; undefined where a fault made it a failed check. */
  attempt<T>(name: string, work: () => Promise<T> | T, found: (value: T) => string): Promise<T | undefined>;
}

/** @param passOn Faults that are no finding of the step, and are thrown: a cloud that does not answer. Default: none. */
export function checkSteps(signal: AbortSignal, passOn: (fault: Fault) => boolean = () => false): CheckSteps {
  const checks: Check[] = [];
  return {
    checks,
    async attempt(name, work, found) {
      try {
        const value = await work();
        checks.push({ name, outcome: 'pass', found: found(value) });
        return value;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Fault) || passOn(error)) throw error;
        checks.push({ name, outcome: 'fail', found: `${error.message}.`, remedy: error.remedy });
        return undefined;
      }
    },
  };
}

/** Of a cloud that has to be signed in to first: it would say the same to every step. */
export function isOfSession({ code }: Fault): boolean {
  return code.startsWith('auth.') || code.startsWith('cloud.un');
}
