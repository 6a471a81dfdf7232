import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { faultSet } from './faults.ts';
import type { Lab } from './lab.ts';

const options = z.strictObject({
  leaseTimeoutSeconds: z.number().min(0.05).max(86_400).optional(),
  starHost: z.boolean().optional(),
  sessionIdleSeconds: z.number().min(0.05).max(86_400).optional(),
  taskMilliseconds: z.int().min(0).max(60_000).optional(),
  clockOffsetSeconds: z.number().min(-1e9).max(1e9).optional(),
});

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

async function json(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}');
}

function state(lab: Lab): unknown {
  return {
    sessions: lab.sessions.list.length,
    refusedLogins: lab.sessions.refusedLogins,
    leases: lab.leases.open.map((lease) => ({
      mode: lease.mode,
      state: lease.state,
      entity: lease.entity.id,
      vms: lease.vms,
    })),
    halfMade: [...lab.all('VirtualMachine'), ...lab.all('VirtualApp')]
      .filter((one) => one.importing)
      .map((one) => one.id),
    machines: lab.all('VirtualMachine').length,
    vApps: lab.all('VirtualApp').length,
    snapshots: lab.all('VirtualMachineSnapshot').length,
    tasks: lab.tasks.recent.filter((task) => task.state === 'queued' || task.state === 'running').length,
    options: lab.options,
    faults: lab.faults.state,
  };
}

/**
 * The lab's own door, which no vendor has. Every call carries `x-lab-key`, the `labKey` of credentials.json.
 *
 *     GET  /lab/state            counts: sessions, leases, half-made machines …
 *     GET  /lab/handed-out       session cookies and lease tickets that were given out since the start
 *     POST /lab/faults           replaces the fault rules (faults.ts has the schema)
 *     POST /lab/options          changes leaseTimeoutSeconds, starHost, sessionIdleSeconds, taskMilliseconds, clockOffsetSeconds
 *     POST /lab/expire-sessions  forgets every session
 *     POST /lab/end-leases       ends every lease; {"expire":true} as if it had timed out
 */
export async function serveAdmin(
  lab: Lab,
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.headers['x-lab-key'] !== key)
    return send(response, 403, { error: 'the header x-lab-key is missing or wrong' });
  const path = new URL(request.url ?? '/', 'https://lab').pathname;
  try {
    if (request.method === 'GET' && path === '/lab/state') return send(response, 200, state(lab));
    if (request.method === 'GET' && path === '/lab/handed-out')
      return send(response, 200, { secrets: [...lab.handedOut] });
    if (request.method !== 'POST') return send(response, 404, { error: `nothing answers ${request.method} ${path}` });
    const body = await json(request);
    if (path === '/lab/faults') lab.faults.replace(faultSet.parse(body));
    else if (path === '/lab/options') {
      const changed = Object.fromEntries(
        Object.entries(options.parse(body)).filter(([, value]) => value !== undefined),
      );
      Object.assign(lab.options, changed);
    } else if (path === '/lab/expire-sessions') lab.sessions.endAll();
    else if (path === '/lab/end-leases') {
      const { expire } = z.object({ expire: z.boolean().default(false) }).parse(body);
      if (expire) for (const lease of lab.leases.open) await lab.leases.expire(lease);
      else await lab.faults.onEndLeases();
    } else return send(response, 404, { error: `nothing answers POST ${path}` });
    return send(response, 200, state(lab));
  } catch (error) {
    return send(response, 400, { error: error instanceof Error ? error.message : String(error) });
  }
}
