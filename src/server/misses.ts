const REMEMBER_MILLISECONDS = 15_000;
const MOST = 10_000;

/** What a cloud was asked for and does not have, for a short while: guessed ids are not asked for again and again. */
export interface Misses {
  has(cloud: string, id: string): boolean;
  add(cloud: string, id: string): void;
}

/** The oldest make room for new ones. */
export function createMisses(now: () => number = () => performance.now()): Misses {
  const until = new Map<string, number>();
  const keyOf = (cloud: string, id: string) => JSON.stringify([cloud, id]);
  return {
    has(cloud, id) {
      const key = keyOf(cloud, id);
      const end = until.get(key);
      if (end === undefined) return false;
      if (end > now()) return true;
      until.delete(key);
      return false;
    },
    add(cloud, id) {
      const key = keyOf(cloud, id);
      until.delete(key);
      until.set(key, now() + REMEMBER_MILLISECONDS);
      const [oldest] = until.keys();
      if (until.size > MOST && oldest !== undefined) until.delete(oldest);
    },
  };
}
