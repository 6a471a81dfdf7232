import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Call, type Reply, type Route, visible } from './call.ts';
import { ovaMembers } from './download.ts';
import type { Transfer } from './entities.ts';
import { readOva } from './ovf/ova.ts';
import { badRequest, forbidden, Refusal } from './refusal.ts';
import type { Simulator } from './simulator.ts';
import { Throttle } from './throttle.ts';
import { finishFile } from './upload.ts';

const durableEveryBytes = 8 * 2 ** 20;

/** Path of a transfer's file on the simulator's disk; client-chosen names never become file names. */
export function storedFile(sim: Simulator, transfer: string, index: number): string {
  return join(sim.transferFolder, transfer, String(index));
}

/** Path of a transfer file below the host. */
export function transferPath(transfer: string, name: string): string {
  return `/transfer/${transfer}/${name.split('/').map(encodeURIComponent).join('/')}`;
}

function findFile(call: Call, direction: Transfer['direction']): { transfer: Transfer; index: number } {
  const transfer = visible(call, 'transfer', call.params.id ?? '');
  const index = transfer.files.findIndex((file) => file.name === call.params.rest);
  if (index < 0 || transfer.direction !== direction) throw forbidden(`transfer ${call.path}`);
  return { transfer, index };
}

interface Range {
  first: number;
  /** Undefined: until the end of the request. */
  last: number | undefined;
  total: number | undefined;
}

function rangeOf(call: Call): Range {
  const { headers } = call.request;
  const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const text = headers['content-range'];
  if (text === undefined) return { first: 0, last: length === undefined ? undefined : length - 1, total: length };
  const found = /^bytes\s+(\d+)-(\d+)\/(\d+|\*)$/.exec(String(text).trim());
  if (found === null) throw badRequest(`The Content-Range "${text}" is not understood.`);
  const [first, last] = [Number(found[1]), Number(found[2])];
  const total = found[3] === '*' ? undefined : Number(found[3]);
  if (last < first || (total !== undefined && last >= total))
    throw outOfRange(`The Content-Range "${text}" contradicts itself.`);
  if (length !== undefined && length !== last - first + 1)
    throw badRequest('Content-Length and Content-Range disagree.');
  return { first, last, total };
}

function outOfRange(message: string): Refusal {
  return new Refusal(416, 'BAD_REQUEST', message);
}

const writing = new Map<string, { stop: () => void; done: Promise<void> }>();

/**
 * Takes a piece of an uploaded file. Pieces must begin at or before `bytesTransferred` (else 416); what is there
 * already is overwritten. Bytes count only after they are durable, and they count also when the connection breaks.
 */
async function takePiece(call: Call): Promise<Reply> {
  const { transfer, index } = findFile(call, 'upload');
  const key = `${transfer.id}/${index}`;
  const before = writing.get(key);
  if (before !== undefined) {
    before.stop();
    await before.done;
  }
  let finish = () => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  writing.set(key, { stop: () => call.request.destroy(), done });
  try {
    await writePiece(call, transfer.id, index);
  } finally {
    writing.delete(key);
    finish();
  }
  return { status: 200 };
}

async function writePiece(call: Call, id: string, index: number): Promise<void> {
  const { sim } = call;
  const transfer = visible(call, 'transfer', id);
  const file = transfer.files[index]!;
  if (transfer.complete) throw forbidden(`transfer ${call.path}`);
  const range = rangeOf(call);
  const isDescriptor = index === 0 && transfer.owner.kind === 'template';
  if (range.first > file.transferred) {
    throw outOfRange(`"${file.name}": ${file.transferred} bytes are here, the piece begins at ${range.first}.`);
  }
  if (file.bytes >= 0 && !isDescriptor) {
    const over = (range.last ?? 0) >= file.bytes;
    if (
      over ||
      (range.total !== undefined && call.request.headers['content-range'] !== undefined && range.total !== file.bytes)
    ) {
      throw outOfRange(`"${file.name}" was announced with ${file.bytes} bytes, not ${range.total ?? 'more'}.`);
    }
  }
  await mkdir(join(sim.transferFolder, id), { recursive: true });
  const path = storedFile(sim, id, index);
  const handle = await open(path, 'r+').catch(() => open(path, 'w+'));
  let at = range.first;
  let durable = at;
  const record = async () => {
    await handle.datasync();
    durable = at;
    const current = sim.store.get('transfer', id);
    if (current === undefined) throw forbidden(`transfer ${call.path}`);
    const files = current.files.map((one, number) =>
      number === index ? { ...one, transferred: Math.max(one.transferred, at) } : one,
    );
    sim.store.change('transfer', id, { files, touched: new Date().toISOString() });
  };
  const throttle = new Throttle(call.bytesPerSecond);
  const limit = range.last === undefined ? (file.bytes >= 0 ? file.bytes : Number.POSITIVE_INFINITY) : range.last + 1;
  try {
    try {
      for await (const part of call.request) {
        const bytes = part as Buffer;
        if (at + bytes.length > limit) throw outOfRange(`"${file.name}": the piece is longer than it says.`);
        const cut =
          call.cutAfterBytes === undefined
            ? bytes.length
            : Math.min(bytes.length, call.cutAfterBytes - (at - range.first));
        await handle.write(bytes, 0, cut, at);
        at += cut;
        if (cut < bytes.length) call.request.destroy();
        await throttle.take(cut, sim.closing);
        if (at - durable >= durableEveryBytes) await record();
      }
    } finally {
      if (at > durable || at === range.first) await record();
    }
  } finally {
    await handle.close();
  }
  const wholeRequest = range.last === undefined || at === range.last + 1;
  if (!wholeRequest) throw badRequest(`"${file.name}": the piece ended early.`);
  const total = range.total ?? (call.request.headers['content-range'] === undefined ? at : undefined);
  await finishFile(sim, id, index, total);
}

function downloadRange(header: string | undefined, bytes: number): { first: number; last: number } | undefined {
  if (header === undefined) return undefined;
  const found = /^bytes=(\d*)-(\d*)$/.exec(header.trim());
  if (found === null || (found[1] === '' && found[2] === '')) return undefined;
  if (found[1] === '') return { first: Math.max(0, bytes - Number(found[2])), last: bytes - 1 };
  const first = Number(found[1]);
  const last = found[2] === '' ? bytes - 1 : Math.min(Number(found[2]), bytes - 1);
  if (first >= bytes || last < first) {
    throw new Refusal(416, 'BAD_REQUEST', 'The range lies outside of the file.', {
      'Content-Range': `bytes */${bytes}`,
    });
  }
  return { first, last };
}

async function givePiece(call: Call): Promise<Reply> {
  const { transfer, index } = findFile(call, 'download');
  const { sim, response } = call;
  const file = transfer.files[index]!;
  const range = downloadRange(call.request.headers.range, file.bytes);
  const { first, last } = range ?? { first: 0, last: file.bytes - 1 };
  sim.store.change('transfer', transfer.id, { touched: new Date().toISOString() });
  response.writeHead(range === undefined ? 200 : 206, {
    'Content-Type': file.type,
    'Content-Length': last - first + 1,
    'Accept-Ranges': 'bytes',
    ...(range === undefined ? {} : { 'Content-Range': `bytes ${first}-${last}/${file.bytes}` }),
  });
  if (call.method === 'HEAD' || last < first) {
    response.end();
    return { status: 200, sent: true };
  }
  const throttle = new Throttle(call.bytesPerSecond);
  let sent = 0;
  await pipeline(
    file.type === 'application/binary'
      ? readOva(ovaMembers(sim, transfer, index), first, last)
      : createReadStream(storedFile(sim, transfer.id, index), { start: first, end: last, highWaterMark: 256 * 1024 }),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const part of source) {
        if (call.cutAfterBytes !== undefined && sent + part.length > call.cutAfterBytes) {
          yield part.subarray(0, call.cutAfterBytes - sent);
          await new Promise((resolve) => setTimeout(resolve, 20));
          call.request.socket.destroy();
          return;
        }
        sent += part.length;
        await throttle.take(part.length, sim.closing);
        yield part;
      }
    },
    response,
  );
  const current = sim.store.get('transfer', transfer.id);
  if (current !== undefined) current.touched = new Date().toISOString();
  return { status: 200, sent: true };
}

export const transferRoutes: Route[] = [
  { method: 'PUT', path: '/transfer/:id/*', handler: takePiece },
  { method: 'GET', path: '/transfer/:id/*', handler: givePiece },
  { method: 'HEAD', path: '/transfer/:id/*', handler: givePiece },
];
