import { timingSafeEqual } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { z } from 'zod';
import type { Call, Reply, Route } from './call.ts';
import { badRequest, Refusal } from './refusal.ts';
import { settledRemovals, usedFiles } from './removal.ts';

/** Admin calls carry the key of `credentials.json` in `x-lab-key`. */
function checkKey(call: Call): void {
  const given = Buffer.from(String(call.request.headers['x-lab-key'] ?? ''));
  const wanted = Buffer.from(call.sim.labKey);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new Refusal(401, 'UNAUTHORIZED', 'The header x-lab-key does not hold the key of this lab.');
  }
}

async function setFaults(call: Call): Promise<Reply> {
  checkKey(call);
  try {
    call.sim.faults.set(await call.json());
  } catch (error) {
    if (error instanceof z.ZodError) throw badRequest(`The fault rules are not valid: ${z.prettifyError(error)}`);
    throw error;
  }
  return { status: 200, json: { rules: call.sim.faults.list().length } };
}

function listFaults(call: Call): Reply {
  checkKey(call);
  return { status: 200, json: { rules: call.sim.faults.list() } };
}

/** What is there and what is left over: for tests that want to see nothing behind them. */
async function state(call: Call): Promise<Reply> {
  checkKey(call);
  const { sim } = call;
  await settledRemovals();
  const { store } = sim;
  const transfers = store.all('transfer');
  const folders = await readdir(sim.transferFolder);
  const known = new Set(transfers.map(({ id }) => id));
  const used = usedFiles(sim);
  const raw = (await readdir(sim.disks.folder))
    .filter((name) => name.endsWith('.raw'))
    .map((name) => name.slice(0, -4));
  const kinds = [
    'org',
    'user',
    'vdc',
    'catalog',
    'catalogItem',
    'template',
    'vapp',
    'vm',
    'media',
    'disk',
    'network',
  ] as const;
  return {
    status: 200,
    json: {
      sessions: store.all('session').length,
      uploads: transfers.filter(({ direction }) => direction === 'upload').length,
      downloads: transfers.filter(({ direction }) => direction === 'download').length,
      runningTasks: sim.tasks.runningCount,
      entities: Object.fromEntries(kinds.map((kind) => [kind, store.all(kind).length])),
      /** Folders of the transfer area that belong to no transfer. */
      leftoverTransfers: folders.filter((name) => !known.has(name)),
      /** Raw disks that nothing names. */
      leftoverDisks: raw.filter((name) => !used.has(name)),
      rawDisks: raw.length,
    },
  };
}

/** What nobody but its client may know, or write down. */
function handedOut(call: Call): Reply {
  checkKey(call);
  return { status: 200, json: { secrets: [...call.sim.store.handedOut] } };
}

function expireSessions(call: Call): Reply {
  checkKey(call);
  for (const session of call.sim.store.all('session')) call.sim.store.remove('session', session.id);
  return { status: 204 };
}

export const labRoutes: Route[] = [
  { method: 'POST', path: '/lab/faults', handler: setFaults, open: true },
  { method: 'GET', path: '/lab/faults', handler: listFaults, open: true },
  { method: 'GET', path: '/lab/state', handler: state, open: true },
  { method: 'GET', path: '/lab/handed-out', handler: handedOut, open: true },
  { method: 'POST', path: '/lab/expire-sessions', handler: expireSessions, open: true },
];
