/**
 * Waits for SIGINT or SIGTERM, then closes. Ctrl-C reaches us more than once (from the terminal and from npm), so only
 * one that comes a second later means "at once".
 */
export async function untilStopped(close: () => Promise<void>, withStdin: boolean): Promise<void> {
  let first = 0;
  await new Promise<void>((done) => {
    const onSignal = () => {
      if (first === 0) first = Date.now();
      else if (Date.now() - first > 1000) process.exit(130);
      done();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    if (withStdin) process.stdin.on('end', done).on('close', done).resume();
  });
  await close();
  process.exit(0);
}
