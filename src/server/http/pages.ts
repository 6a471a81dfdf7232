import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { isThere } from '../../base/files.ts';
import { Fault } from '../../model/fault.ts';

/** Scripts only from here; styles also inline, since the components of the UI set them so. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

const NO_PAGES = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Cloudspan</title>
<h1>Cloudspan</h1><p>The server runs, but its pages were not built. Build them with <code>npm run build:ui</code> and
start the server again. The command line and the API under <code>/api/v1</code> work.</p></html>`;

/** The pages of the UI; addresses that are no file are the UI's own routes. Security headers go out with everything. */
export async function servePages(app: FastifyInstance, folder: string | undefined): Promise<void> {
  app.addHook('onSend', async (request, reply) => {
    void reply.headers(HEADERS);
    // What an account sees is nothing for a cache.
    if (request.url.startsWith('/api/')) void reply.header('cache-control', 'no-store');
  });
  const built = folder !== undefined && (await isThere(join(folder, 'index.html')));
  if (built) await app.register(fastifyStatic, { root: folder, wildcard: false, index: ['index.html'] });
  app.setNotFoundHandler(async (request, reply) => {
    const page =
      request.method === 'GET' &&
      !/^\/(api|link)\//.test(request.url) &&
      /html|\*\/\*/.test(request.headers.accept ?? '');
    if (!page) throw new Fault('object.missing', `there is no ${request.method} ${request.url.split('?')[0]}`);
    if (built) return reply.sendFile('index.html', { cacheControl: false });
    return reply.type('text/html; charset=utf-8').send(NO_PAGES);
  });
}
