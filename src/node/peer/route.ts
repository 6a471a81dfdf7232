import { readTicket } from '../../protocol/peer.ts';

const LOOK_MILLISECONDS = 500;

/** Aborts its signal when the ticket has been renewed with another way in it; sockets that are open stay so. */
export function changeOf(ticket: () => string): { signal: AbortSignal } & Disposable {
  const control = new AbortController();
  let seen = ticket();
  const route = routeOf(seen);
  const timer = setInterval(() => {
    const text = ticket();
    if (text === seen) return;
    seen = text;
    if (routeOf(text) !== route) control.abort(new Error('the ticket leads another way'));
  }, LOOK_MILLISECONDS);
  return { signal: control.signal, [Symbol.dispose]: () => clearInterval(timer) };
}

function routeOf(text: string): string {
  const { dialer, address, addresses, relay } = readTicket(text).ticket;
  return JSON.stringify([dialer, address, addresses, relay]);
}
