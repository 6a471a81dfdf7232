import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { onDisk, type Place } from './datastore-files.ts';
import type { Lab } from './lab.ts';
import { metered } from './meter.ts';
import { escapeXml } from './soap/element.ts';

function answer(response: ServerResponse, status: number, why = '', headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(why && `${why}\n`);
}

function allowed(lab: Lab, request: IncomingMessage): boolean {
  if (lab.sessions.byCookie(request.headers.cookie)) return true;
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (!basic) return false;
  const [user = '', ...password] = Buffer.from(basic, 'base64').toString().split(':');
  return lab.sessions.accepts(user, password.join(':'));
}

/** The place a URL means: `/folder/<path>?dcPath=<datacenter>&dsName=<datastore>`. */
function place(lab: Lab, url: URL): Place | undefined {
  const dcPath = url.searchParams.get('dcPath');
  const name = url.searchParams.get('dsName');
  const datacenters = lab.all('Datacenter');
  const datacenter =
    dcPath === null && datacenters.length === 1
      ? datacenters[0]
      : datacenters.find((one) => one.name === dcPath?.split('/').filter(Boolean).at(-1));
  const store = lab
    .all('Datastore')
    .find((one) => one.name === name && lab.above('Datacenter', one.id)?.id === datacenter?.id);
  return store && { datastore: store.id, path: decodeURIComponent(url.pathname.replace(/^\/folder\/?/, '')) };
}

/** `bytes=a-b` within a size; `undefined` for the whole, `'bad'` for what cannot be satisfied. */
function readRange(header: string | undefined, size: number): { start: number; end: number } | 'bad' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const last = match[2] === '' ? size - 1 : Number(match[2]);
  const start = match[1] === '' ? Math.max(0, size - last) : Number(match[1]);
  const end = match[1] === '' ? size - 1 : Math.min(last, size - 1);
  return start > end || start >= size ? 'bad' : { start, end };
}

/** Access to the files of a datastore over HTTP, as vCenter gives it under `/folder`. */
export async function serveFolder(lab: Lab, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!allowed(lab, request))
    return answer(response, 401, 'Log in first.', { 'www-authenticate': 'Basic realm="VMware HTTP server"' });
  const url = new URL(request.url ?? '/', 'https://vcenter');
  const target = place(lab, url);
  if (!target) return answer(response, 404, 'There is no such datacenter or datastore.');
  if (target.path.split('/').includes('..') || target.path.includes('\0'))
    return answer(response, 400, 'The path leaves its datastore.');
  const file = onDisk(lab, target);
  if (request.method === 'PUT' || request.method === 'POST') return put(lab, request, response, file);
  if (request.method === 'DELETE') {
    await rm(file, { recursive: true, force: true });
    return answer(response, 204);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405);
  const found = await stat(file).catch(() => undefined);
  if (!found) return answer(response, 404, 'There is no such file.');
  if (found.isDirectory()) return index(response, file, target);
  const range = readRange(request.headers.range, found.size);
  if (range === 'bad') return answer(response, 416, '', { 'content-range': `bytes */${found.size}` });
  const length = range ? range.end - range.start + 1 : found.size;
  response.writeHead(range ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': length,
    'accept-ranges': 'bytes',
    'last-modified': found.mtime.toUTCString(),
    ...(range ? { 'content-range': `bytes ${range.start}-${range.end}/${found.size}` } : {}),
  });
  if (request.method === 'HEAD' || length === 0) return void response.end();
  const source = createReadStream(
    file,
    range ? { start: range.start, end: range.end, highWaterMark: 256 * 1024 } : { highWaterMark: 256 * 1024 },
  );
  await pipeline(metered(source as AsyncIterable<Buffer>, lab.faults, 'vcenter'), response).catch(() =>
    response.destroy(),
  );
}

async function put(lab: Lab, request: IncomingMessage, response: ServerResponse, file: string): Promise<void> {
  const before = await stat(file).catch(() => undefined);
  if (before?.isDirectory()) return answer(response, 405, 'This is a folder.');
  const beside = `${file}.${crypto.randomUUID()}.part`;
  lab.store.noteScratch(beside);
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await pipeline(
      metered(request as AsyncIterable<Buffer>, lab.faults, 'vcenter'),
      createWriteStream(beside, { flush: true }),
    );
    await rename(beside, file);
    answer(response, before ? 200 : 201);
  } catch {
    await rm(beside, { force: true });
    request.destroy();
  } finally {
    lab.store.dropScratch(beside);
  }
}

async function index(response: ServerResponse, folder: string, target: Place): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const links = entries.map(
    (one) => `<a href="${encodeURIComponent(one.name)}${one.isDirectory() ? '/' : ''}">${escapeXml(one.name)}</a>`,
  );
  response
    .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
    .end(`<html><title>Index of ${escapeXml(target.path)}</title><pre>${links.join('\n')}</pre></html>`);
}
