import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { flatOf, onDisk } from './datastore-files.ts';
import type { Lease, LeaseDevice } from './http-nfc-lease.ts';
import type { Lab } from './lab.ts';
import { metered } from './meter.ts';
import { VimFault } from './vim-fault.ts';
import { decodeVmdk } from './vmdk/decode.ts';
import { type EncodeTotals, encodeVmdk } from './vmdk/encode.ts';
import { VmdkError } from './vmdk/format.ts';

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${why}\n`);
}

/** The part of an ESXi host that a lease's URLs lead to: `/nfc/<ticket>/<device>`. */
export async function serveNfc(lab: Lab, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts = new URL(request.url ?? '/', 'https://host').pathname.split('/').map(decodeURIComponent);
  const lease = parts[1] === 'nfc' ? lab.leases.byTicket(parts[2] ?? '') : undefined;
  const device = lease?.devices.find((one) => one.name === parts[3]);
  if (lease?.state !== 'ready' || !device)
    return refuse(response, 404, 'There is no such ticket, or its lease has ended.');
  if (request.method === 'GET' || request.method === 'HEAD') {
    if (lease.mode !== 'export') return refuse(response, 405, 'This lease takes uploads only.');
    response.writeHead(200, { 'content-type': 'application/x-vnd.vmware-streamVmdk' });
    if (request.method === 'HEAD') return void response.end();
    return download(lab, lease, device, response);
  }
  if (request.method === 'POST' || request.method === 'PUT') {
    if (lease.mode !== 'import') return refuse(response, 405, 'This lease gives downloads only.');
    return upload(lab, lease, device, request, response);
  }
  return refuse(response, 405, `${request.method} is not supported.`);
}

async function download(lab: Lab, lease: Lease, device: LeaseDevice, response: ServerResponse): Promise<void> {
  await using file = await open(onDisk(lab, flatOf(device.place)), 'r');
  const sha1 = createHash('sha1');
  const sha256 = createHash('sha256');
  const totals: EncodeTotals = { populatedBytes: 0 };
  let bytes = 0;
  const source = async function* () {
    for await (const chunk of metered(
      encodeVmdk(file, device.capacity, device.name, device.adapter, totals),
      lab.faults,
      'host',
    )) {
      sha1.update(chunk);
      sha256.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
    device.passed = {
      sha1: sha1.digest('hex'),
      sha256: sha256.digest('hex'),
      bytes,
      capacity: device.capacity,
      populated: totals.populatedBytes,
    };
  };
  try {
    await pipeline(source, response, { signal: lease.stop.signal });
  } catch {
    // The client left, a fault rule cut the line, or the lease ended: nobody is left to tell.
    response.destroy();
  }
}

async function upload(
  lab: Lab,
  lease: Lease,
  device: LeaseDevice,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const flat = onDisk(lab, flatOf(device.place));
  const sha1 = createHash('sha1');
  const sha256 = createHash('sha256');
  let bytes = 0;
  device.open = true;
  device.passed = undefined;
  const body = async function* () {
    for await (const chunk of metered(request as AsyncIterable<Buffer>, lab.faults, 'host')) {
      if (lease.stop.signal.aborted) throw new Error('the lease has ended');
      sha1.update(chunk);
      sha256.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  const stop = () => request.destroy(new Error('the lease has ended'));
  lease.stop.signal.addEventListener('abort', stop);
  try {
    await using file = await open(flat, 'r+');
    await file.truncate(0);
    await file.truncate(device.capacity);
    const totals = await decodeVmdk(body(), file, device.capacity);
    await file.datasync();
    device.passed = {
      sha1: sha1.digest('hex'),
      sha256: sha256.digest('hex'),
      bytes,
      capacity: totals.capacityBytes,
      populated: totals.populatedBytes,
    };
    device.open = false;
    lab.changed();
    response.writeHead(request.method === 'PUT' ? 201 : 200, { 'content-length': 0 }).end();
  } catch (error) {
    // A line that broke leaves the lease as it is: the client may send the disk again from its start.
    if (!(error instanceof VmdkError) || lease.stop.signal.aborted) {
      request.destroy();
      return;
    }
    const reason = `${device.key}: ${error.message}`;
    lease.stop.signal.removeEventListener('abort', stop);
    request.resume();
    await lab.leases.fail(
      lease,
      new VimFault('SystemError', `The disk that was sent cannot be used: ${reason}`, { reason }),
    );
    if (!response.headersSent) refuse(response, 500, reason);
  } finally {
    lease.stop.signal.removeEventListener('abort', stop);
  }
}
