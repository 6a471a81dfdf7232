/** Equal hands at the same work, to whom more can come while they work. */
export class Crew {
  /** Resolves when nobody works any more; rejects as the first hand does. */
  readonly done: Promise<void>;
  readonly #work: () => Promise<void>;
  readonly #ended = Promise.withResolvers<void>();
  #working = 0;

  constructor(work: () => Promise<void>) {
    this.#work = work;
    this.done = this.#ended.promise;
    this.done.catch(() => {});
  }

  /** So many hands at least, from now on. */
  want(count: number): void {
    while (this.#working < count) {
      this.#working++;
      this.#work().then(
        () => this.#left(),
        (error) => this.#ended.reject(error),
      );
    }
  }

  #left(): void {
    this.#working--;
    if (this.#working === 0) this.#ended.resolve();
  }
}
