/** Copies under kills that every run of the suite has. */
const KILLS = 16;

/** Of `CLOUDSPAN_SEED`; another one each time when it is not set. */
export function chosenSeed(): number {
  const { CLOUDSPAN_SEED: given } = process.env;
  const seed = given === undefined ? Date.now() % 1_000_000 : Number(given);
  if (!Number.isSafeInteger(seed)) throw new Error(`CLOUDSPAN_SEED=${given} is not a whole number`);
  return seed;
}

/**
 * `CLOUDSPAN_PLAN` names what shall run: `7`, `3,9`, `120-159` are seeded runs; `k7` is the kill point of that number.
 * When it is set, nothing else runs.
 */
export function chosenRuns(count: number): number[] {
  const words = planWords();
  if (words === null) return Array.from({ length: count }, (_, index) => index);
  return words.filter((word) => !word.startsWith('k')).flatMap(rangeOf);
}

/** Of the kill points, whose order is drawn by the seed: the first of them, or as many as `CLOUDSPAN_KILLS` says. */
export function chosenKills(all: number): number[] {
  const words = planWords();
  if (words !== null) return words.filter((word) => word.startsWith('k')).flatMap((word) => rangeOf(word.slice(1)));
  const { CLOUDSPAN_KILLS: count = String(KILLS) } = process.env;
  return Array.from({ length: count === 'all' ? all : Math.min(all, Number(count)) }, (_, index) => index);
}

function planWords(): string[] | null {
  const { CLOUDSPAN_PLAN: given } = process.env;
  return given === undefined ? null : given.split(',').map((word) => word.trim());
}

function rangeOf(text: string): number[] {
  const [first = Number.NaN, last = first] = text.split('-').map(Number);
  if (!(Number.isInteger(first) && Number.isInteger(last))) throw new Error(`CLOUDSPAN_PLAN: "${text}" is no number`);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
