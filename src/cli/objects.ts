import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import { escapeName, joinPath, parseCloudPath } from '../model/path.ts';
import type { ObjectView } from '../protocol/api/objects.ts';
import type { Client } from '../protocol/client.ts';
import { findCloud } from './clouds.ts';
import { bytesText, printJson, printLine, printTable } from './output.ts';
import { connectLast } from './session.ts';

const ACTIONS = ['on', 'off', 'shutdown', 'suspend', 'resume', 'reset'] as const;

export function addObjects(program: Command): void {
  program
    .command('ls <path>')
    .description('what is in a cloud: <cloud>[/path]; `/` and `%` in names are written %2F and %25')
    .option('--long', 'hardware, addresses and ids')
    .option('--json', 'answer as JSON')
    .action(ls);
  program
    .command('power <path> <action>')
    .description(`change the power state of a machine or vApp: ${ACTIONS.join(', ')}`)
    .action(power);
}

async function ls(path: string, flags: { long?: boolean; json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { client } = connection;
  const parsed = parseCloudPath(path);
  const cloud = await findCloud(client, parsed.cloud);
  const top = parsed.names.length === 0 && parsed.id === undefined;
  const parent = top ? undefined : await findObject(client, path);
  const { objects } = await client.listObjects({ query: { cloud: cloud.id, parent: parent?.id ?? 'root' } });
  const shown = objects.length === 0 && parent?.machine !== undefined ? [parent] : objects;
  if (flags.json === true) return printJson({ objects: shown });
  printTable(
    flags.long === true
      ? ['KIND', 'NAME', 'POWER', 'HARDWARE', 'ADDRESSES', 'ID']
      : ['KIND', 'NAME', 'POWER', 'HARDWARE'],
    shown.map((object) => rowOf(object, flags.long === true)),
  );
}

function rowOf(object: ObjectView, long: boolean): string[] {
  const facts = object.machine;
  const space = object.capacity;
  const hardware =
    facts !== undefined
      ? `${facts.cpus} CPU, ${bytesText(facts.memoryMib * 1048576)}, ${facts.disks} disks ${bytesText(facts.diskBytes)}`
      : space?.totalBytes === undefined
        ? object.kind === 'media' && Number(object.facts?.bytes) >= 0
          ? bytesText(Number(object.facts?.bytes))
          : ''
        : `${bytesText(space.freeBytes ?? 0)} free of ${bytesText(space.totalBytes)}`;
  const row = [object.kind, escapeName(object.name), object.kind === 'template' ? '' : (facts?.power ?? ''), hardware];
  return long ? [...row, (facts?.ips ?? []).join(' '), object.id] : row;
}

async function power(path: string, action: string): Promise<void> {
  const known = ACTIONS.find((one) => one === action);
  if (known === undefined)
    throw new Fault('input.invalid', `"${action}" is no power action`, {
      remedy: `Use one of: ${ACTIONS.join(', ')}.`,
    });
  await using connection = await connectLast();
  const object = await findObject(connection.client, path);
  await connection.client.power({ cloud: object.cloud, object: object.id, body: { action: known } });
  printLine(`${path}: ${action} is done`);
}

/** The one object that a path names; several are listed with their ids. */
export async function findObject(client: Client, path: string): Promise<ObjectView> {
  const parsed = parseCloudPath(path);
  const cloud = await findCloud(client, parsed.cloud);
  const query = {
    cloud: cloud.id,
    path: parsed.id === undefined ? joinPath(parsed.names) : `id:${escapeName(parsed.id)}`,
  };
  const { objects } = await client.listObjects({ query });
  if (objects.length === 1 && objects[0] !== undefined) return objects[0];
  if (objects.length === 0) {
    throw new Fault('object.missing', `there is nothing at ${path}`, {
      remedy: 'List the parent with `cloudspan ls`.',
    });
  }
  throw new Fault('object.ambiguous', `${path} fits ${objects.length} objects`, {
    remedy: `Name one by its id: ${escapeName(cloud.name)}/id:<id>.`,
    details: { objects: objects.map((object) => `${object.kind} ${object.path} id:${escapeName(object.id)}`) },
  });
}
