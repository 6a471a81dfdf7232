/**
 * Runs at most `limit` items at a time and yields their results in the order of the items, each as soon as it is
 * there, also while the source lets wait for its next item. The source is read only as far ahead as the limit. When
 * the source fails, the results of what came before are yielded first. An abort is thrown at once, whatever hangs.
 */
export async function* inOrder<Item, Result>(
  source: AsyncIterable<Item>,
  limit: number,
  signal: AbortSignal,
  run: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const items = source[Symbol.asyncIterator]();
  const running: { done: boolean; result: Promise<Result> }[] = [];
  let failure: { error: unknown } | undefined;
  let ended = false;
  let reading = false;
  let wake = Promise.withResolvers<void>();
  const onAbort = (): void => wake.resolve();
  signal.addEventListener('abort', onAbort);

  const start = (item: Item): void => {
    const task = { done: false, result: run(item) };
    running.push(task);
    const finish = (): void => {
      task.done = true;
      wake.resolve();
    };
    task.result.then(finish, finish);
  };
  const read = async (): Promise<void> => {
    reading = true;
    try {
      const next = await items.next();
      if (next.done) ended = true;
      else start(next.value);
    } catch (error) {
      failure = { error };
      ended = true;
    }
    reading = false;
    wake.resolve();
  };

  try {
    while (!ended || running.length > 0) {
      signal.throwIfAborted();
      if (!ended && !reading && running.length < limit) void read();
      if (running[0]?.done) yield await running.shift()!.result;
      else await wake.promise;
      wake = Promise.withResolvers<void>();
    }
    if (failure) throw failure.error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (!ended) {
      const returned = items.return?.();
      // A source that is in the middle of a read ends when that does; nobody waits for it.
      if (reading) returned?.catch(() => undefined);
      else await returned;
    }
  }
}
