import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer, request as dial, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { createIdentity } from '../../src/base/identity.ts';

/** Gives the body that is answered instead, or undefined to leave the answer as it is. */
export type Tamper = (path: string, body: Buffer) => Buffer | undefined;

export interface HostileProxy extends AsyncDisposable {
  url: string;
  /** SHA-256 of its certificate. */
  fingerprint: string;
  /** What is done to the answers below `/transfer` from now on. */
  tamper: Tamper;
}

/** Stands in front of a lab and is as true as the lab is, but for the files that it hands out. */
export async function openHostileProxy(lab: string): Promise<HostileProxy> {
  const { key, certificate } = await createIdentity('hostile');
  const target = new URL(lab);
  const server = createServer({ key, cert: certificate }, async (request, response) => {
    try {
      const options: RequestOptions = {
        host: target.hostname,
        port: target.port,
        method: request.method,
        path: request.url,
        headers: request.headers,
        rejectUnauthorized: false,
      };
      const answer = await new Promise<IncomingMessage>((done, fail) => {
        const forwarded = dial(options, done).on('error', fail);
        request.pipe(forwarded);
      });
      const path = request.url ?? '';
      if (!path.startsWith('/transfer/')) {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        return await pipeline(answer, response);
      }
      const body = Buffer.concat(await answer.toArray());
      const changed = proxy.tamper(path, body) ?? body;
      response.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'content-length': changed.length });
      response.end(changed);
    } catch {
      response.destroy();
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const proxy: HostileProxy = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fingerprint: new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase(),
    tamper: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return proxy;
}
