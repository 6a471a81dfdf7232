import type { Jobs } from './jobs/jobs.ts';
import type { Database } from './store/database.ts';

/** A load balancer asks often: the answer is good for a moment. */
const FRESH_MILLISECONDS = 1_000;
const PATIENCE_MILLISECONDS = 3_000;

export interface Readiness {
  /** Whether database and job executor answer. */
  look(): Promise<boolean>;
}

export function createReadiness(database: Database, jobs: Jobs): Readiness {
  let asked: { at: number; answer: Promise<boolean> } | null = null;
  const ask = async () => {
    try {
      const late = AbortSignal.timeout(PATIENCE_MILLISECONDS);
      const silence = new Promise<never>((_, reject) => {
        late.addEventListener('abort', () => reject(late.reason), { once: true });
      });
      await Promise.race([Promise.all([database.query('SELECT 1'), jobs.answers()]), silence]);
      return true;
    } catch {
      return false;
    }
  };
  return {
    look() {
      if (asked === null || performance.now() - asked.at > FRESH_MILLISECONDS) {
        asked = { at: performance.now(), answer: ask() };
      }
      return asked.answer;
    },
  };
}
