/** A bounded number of places, given in the order in which they were asked for. */
export interface Places {
  /** Resolves once there is a place; disposing gives it back, once. */
  take(): Promise<Disposable>;
}

export function createPlaces(count: number): Places {
  let free = count;
  const waiting: (() => void)[] = [];
  const place = (): Disposable => {
    let given = false;
    return {
      [Symbol.dispose]() {
        if (given) return;
        given = true;
        const next = waiting.shift();
        if (next === undefined) free++;
        else next();
      },
    };
  };
  return {
    async take() {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      return place();
    },
  };
}
