import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { faultSet } from './faults.ts';
import { startVcenter } from './index.ts';
import { WORLDS, type WorldInput } from './world.ts';

const usage = `A vCenter with one ESXi host to try things on, on this computer only.

  node main.ts --data FOLDER [--port N] [--host-port N] [--host-address HOST:PORT] [--world FILE|NAME] [--faults FILE] [--user U] [--exit-with-stdin]

Leases name --host-address instead of where the host listens: its clients come through something else.
The password comes from LAB_PASSWORD, else from FOLDER/credentials.json, which is made at the first start.
`;

function readFlags() {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      port: { type: 'string', default: '0' },
      'host-port': { type: 'string', default: '0' },
      'host-address': { type: 'string' },
      world: { type: 'string' },
      faults: { type: 'string' },
      user: { type: 'string' },
      'exit-with-stdin': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}

async function readWorld(given: string | undefined): Promise<string | WorldInput | undefined> {
  if (given === undefined || given in WORLDS) return given;
  return JSON.parse(await readFile(given, 'utf8')) as WorldInput;
}

async function main(): Promise<void> {
  const values = readFlags();
  if (values.help || values.data === undefined) {
    process.stderr.write(usage);
    process.exit(values.help ? 0 : 2);
  }
  const data = path.resolve(values.data);
  const world = await readWorld(values.world);
  const password = process.env.LAB_PASSWORD;
  const vcenter = await startVcenter({
    data,
    port: Number(values.port),
    hostPort: Number(values['host-port']),
    ...(values['host-address'] === undefined ? {} : { hostAddress: values['host-address'] }),
    ...(world === undefined ? {} : { world }),
    ...(values.faults ? { faults: faultSet.parse(JSON.parse(await readFile(values.faults, 'utf8'))) } : {}),
    ...(values.user ? { user: values.user } : {}),
    ...(password ? { password } : {}),
  });
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    void vcenter.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  if (values['exit-with-stdin']) process.stdin.on('end', end).on('close', end).resume();
  const { url, hostUrl, user, fingerprint, hostFingerprint } = vcenter;
  console.log(
    JSON.stringify({
      ready: true,
      kind: 'vcenter',
      url,
      hostUrl,
      user,
      fingerprint,
      hostFingerprint,
      data,
      admin: `${url}/lab`,
    }),
  );
}

main().catch((error: unknown) => {
  console.error(`lab vcenter: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
