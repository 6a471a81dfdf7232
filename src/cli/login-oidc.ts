import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delay } from '../base/backoff.ts';
import { Fault } from '../model/fault.ts';
import type { Client } from '../protocol/client.ts';

const PATH = '/callback';

/**
 * Signs in at the server's OpenID provider: with a code that is typed in on any device, or in a browser on this machine.
 * What has to be opened is told on stderr. Faults: `auth.refused`, `object.missing`: there is no provider.
 */
export async function loginOidc(client: Client): Promise<{ token: string; user: string; expires: string }> {
  await using answer = await listenForAnswer();
  const begun = await client.beginSignIn({ body: { redirect: answer.redirect } });
  const until = AbortSignal.timeout(Math.max(1, Date.parse(begun.expires) - Date.now()));
  try {
    if (begun.way === 'browser') {
      process.stderr.write(`Open this in a browser on this machine:\n  ${begun.url}\n`);
      const returned = await answer.returned(until);
      const { session } = await client.endSignIn({ body: { ticket: begun.ticket, returned } });
      if (session !== undefined) return session;
      throw new Fault('auth.refused', 'the sign-in was not completed');
    }
    process.stderr.write(`Open ${begun.url} on any device and enter this code: ${begun.code}\n`);
    if (begun.urlWithCode !== undefined) process.stderr.write(`  or ${begun.urlWithCode}\n`);
    for (;;) {
      await delay(begun.intervalSeconds * 1000, until);
      const { session } = await client.endSignIn({ body: { ticket: begun.ticket } }, until);
      if (session !== undefined) return session;
    }
  } catch (error) {
    if (!until.aborted) throw error;
    throw new Fault('auth.refused', 'nobody confirmed the sign-in in time', { remedy: 'Begin again.', cause: error });
  }
}

/** One answer of the provider, by way of the browser. */
async function listenForAnswer() {
  const { promise, resolve } = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method !== 'GET' || pathname !== PATH) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
    response.end('Go on at the terminal; this page can be closed.\n');
    resolve(`${PATH}${search}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    redirect: `http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`,
    returned: (signal: AbortSignal) =>
      Promise.race([
        promise,
        once(signal, 'abort').then(() => {
          throw signal.reason;
        }),
      ]),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
