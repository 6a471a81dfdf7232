/** The other end of `tls-source.ts`: `node tls-destination.ts PORT PIN FOLDER` reads everything and keeps nothing. */
import { loadIdentity } from '../../src/base/identity.ts';
import { dialIdentity } from '../../src/base/tls.ts';
import { onSignal } from './parts.ts';
import { CONNECTIONS } from './tls-connections.ts';

const [port = '', pin = '', folder = ''] = process.argv.slice(2);
const identity = await loadIdentity(folder, 'destination', 'destination');
const { signal } = new AbortController();

await onSignal({}, async () => {
  let bytes = 0;
  const sockets = await Promise.all(
    Array.from({ length: CONNECTIONS }, () =>
      dialIdentity({ host: '127.0.0.1', port: Number(port) }, identity, pin, signal),
    ),
  );
  await Promise.all(
    sockets.map(async (socket) => {
      for await (const chunk of socket) bytes += (chunk as Buffer).length;
    }),
  );
  return { bytes };
});
process.exit(0);
