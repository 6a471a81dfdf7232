import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startCloudDirector } from './index.ts';

const usage = `A VMware Cloud Director to try things on, on this computer only.

  node main.ts --data FOLDER [--port N] [--world FILE|NAME] [--faults FILE] [--org ORG] [--user U] [--exit-with-stdin]

The password comes from LAB_PASSWORD, else from FOLDER/credentials.json, which is made at the first start.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      port: { type: 'string', default: '0' },
      world: { type: 'string' },
      faults: { type: 'string' },
      org: { type: 'string' },
      user: { type: 'string' },
      'exit-with-stdin': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.data === undefined) {
    process.stderr.write(usage);
    process.exit(values.help ? 0 : 2);
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--port ${values.port} is not a port number`);
  const password = process.env.LAB_PASSWORD;
  const data = resolve(values.data);
  const cloud = await startCloudDirector({
    data,
    port,
    ...(values.world === undefined ? {} : { world: values.world }),
    ...(values.faults === undefined ? {} : { faults: JSON.parse(await readFile(values.faults, 'utf8')) }),
    ...(values.org === undefined ? {} : { org: values.org }),
    ...(values.user === undefined ? {} : { user: values.user }),
    ...(password === undefined || password === '' ? {} : { password }),
  });
  const stop = () => {
    void cloud.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (values['exit-with-stdin']) process.stdin.resume().once('end', stop).once('error', stop);
  const { url, org, user, fingerprint } = cloud;
  process.stdout.write(
    `${JSON.stringify({ ready: true, kind: 'cloud-director', url, org, user, fingerprint, data, admin: `${url}/lab` })}\n`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`cloud-director lab: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
