/** Seconds without a byte after which a connection is given up, where nobody says otherwise. */
export const STALL_SECONDS = 30;

interface Pinging {
  readonly destroyed: boolean;
  readonly closed: boolean;
  ping(answered: (error: Error | null) => void): unknown;
  destroy(): void;
}

/**
 * Pings all the while, and destroys a session that answers no ping for `stallSeconds`: it is half open (a cable, a NAT
 * table). A process that itself stood still meanwhile asks once more. Call the answer to stop.
 * @param end Called in place of the session's `destroy`.
 */
export function endOnSilence(session: Pinging, stallSeconds: number, end = () => session.destroy()): () => void {
  const stall = stallSeconds * 1000;
  let heard = performance.now();
  let looked = heard;
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - looked > stall / 2) heard = now;
    looked = now;
    if (now - heard > stall) return end();
    if (session.destroyed || session.closed) return;
    session.ping((error) => {
      if (error === null) heard = performance.now();
    });
  }, stall / 4);
  return () => clearInterval(timer);
}
