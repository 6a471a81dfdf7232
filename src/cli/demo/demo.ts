import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../model/fault.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import { endOf } from '../copy.ts';
import { bytesText, printFault, printJson } from '../output.ts';
import { followJob } from '../progress.ts';
import { addLab, type Lab, startLab, startNode, startServer } from './installation.ts';
import { Processes } from './processes.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

export interface DemoOptions {
  /** Words that run `cloudspan`. */
  executable: readonly string[];
  /** Stop after the verification. */
  once: boolean;
  /** The last line is one JSON object. */
  json: boolean;
  /** Kept afterwards when given; else a temporary folder that is removed. */
  folder?: string;
}

interface DiskRoot {
  label: string;
  root: string;
}

const SOURCE = 'vsphere-lab/Berlin/vm/Production/web-01';
const DESTINATION = 'director-lab/vdc-frankfurt';

/**
 * Two simulated clouds, a server and two nodes in processes of their own; a copy from one cloud to the other; its proof
 * by a process that downloads the disks from the destination on its own. Gives the exit code. Ends all processes.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const started = performance.now();
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'cloudspan-demo-')));
  await mkdir(folder, { recursive: true });
  const log = createWriteStream(join(folder, 'demo.log'), { flags: 'a' });
  const stop = new AbortController();
  const onSignal = () => stop.abort(new Fault('job.cancelled', 'the demo was stopped', { remedy: '' }));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
  const say = (text: string) => process.stderr.write(`${text}\n`);
  let keep = options.folder !== undefined;
  try {
    await using processes = new Processes(options.executable, log);
    const summary = await unlessStopped(stop.signal, play(processes, folder, say, stop.signal));
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    say(`done in ${seconds} s`);
    const { ui, password, ...figures } = summary;
    if (options.json) printJson({ ok: true, seconds, ...figures });
    if (!options.once) {
      say(
        `\nThe UI is at ${ui} (the certificate is this server's own)\n  user      admin\n  password  ${password}\nCtrl-C ends everything.`,
      );
      await new Promise<void>((resolve) => {
        if (stop.signal.aborted) resolve();
        stop.signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    keep = true;
    const code = printFault(error, false);
    say(`what the processes said is in ${join(folder, 'demo.log')}`);
    if (options.json)
      printJson({
        ok: false,
        seconds: Math.round((performance.now() - started) / 100) / 10,
        fault: Fault.from(error, 'demo').report(),
      });
    return code;
  } finally {
    log.end();
    if (!keep) await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

async function play(processes: Processes, folder: string, say: (text: string) => void, signal: AbortSignal) {
  say('starting two simulated clouds and a server …');
  const [vcenter, director, server] = await Promise.all([
    startLab(processes, folder, 'vcenter', vcenterWorld),
    startLab(processes, folder, 'cloud-director', directorWorld),
    startServer(processes, folder),
  ]);
  say('joining a node next to each cloud …');
  await Promise.all([
    startNode(processes, folder, server, 'node-berlin', false),
    startNode(processes, folder, server, 'node-frankfurt', true),
  ]);
  const { client } = server.connection;
  await Promise.all([
    addLab(client, 'vsphere-lab', 'node-berlin', vcenter),
    addLab(client, 'director-lab', 'node-frankfurt', director),
  ]);

  say(`copying ${SOURCE} to ${DESTINATION} …`);
  const networks = { Web: 'net-web', Database: 'net-db' };
  const job = await client.startJob({ body: { kind: 'copy', source: SOURCE, destination: DESTINATION, networks } });
  const end = await followJob(client, job.id, false, signal);
  if (end.state !== 'succeeded') endOf(end, false);
  const { result, receipt, progress } = proven(end);
  say(
    `copied ${bytesText(progress.totalBytes)}: ${bytesText(progress.wireBytes)} on the wire, ${bytesText(progress.zeroBytes)} were zero and were not sent`,
  );

  say('verifying: another process downloads the disks from the destination and hashes them …');
  const { disks } = await readRoots(processes, folder, director, result.object.id);
  for (const [index, disk] of receipt.disks.entries()) {
    const read = disks[index]?.root;
    if (read !== disk.destinationRoot || disk.sourceRoot !== disk.destinationRoot) {
      throw new Fault(
        'transfer.mismatch',
        `${disk.label}: the receipt says ${disk.sourceRoot} → ${disk.destinationRoot}, the download has ${read ?? 'nothing'}`,
      );
    }
    say(`  ${disk.label}: ${read} = source`);
  }
  await client.power({ cloud: result.object.cloud, object: result.object.id, body: { action: 'on' } });
  say(`${result.object.kind} "${result.object.name}" is powered on at the destination`);
  return {
    ui: server.url,
    password: server.password,
    bytes: progress.totalBytes,
    bytesOnWire: progress.wireBytes,
    sourceRoot: receipt.sourceRoot,
    destinationRoot: receipt.destinationRoot,
    disks: receipt.disks.map((disk, index) => ({
      label: disk.label,
      sourceRoot: disk.sourceRoot,
      destinationRoot: disks[index]?.root,
    })),
  };
}

function proven(job: JobView) {
  const { result, receipt, progress } = job;
  if (result === undefined || receipt === undefined || progress === undefined) {
    throw new Fault('internal', `job ${job.number} ended without a receipt`);
  }
  return { result, receipt, progress };
}

/** Reads the disks of an object straight out of a cloud, in a process that knows neither server nor nodes. */
async function readRoots(
  processes: Processes,
  folder: string,
  lab: Lab,
  object: string,
): Promise<{ disks: DiskRoot[] }> {
  const settings = join(folder, 'verify.json');
  const { password = '', ...open } = lab.options;
  await writeFile(
    settings,
    JSON.stringify({ driver: lab.driver, options: open, fingerprint: lab.ready.fingerprint, object }),
  );
  return processes.run<{ disks: DiskRoot[] }>('verify', ['roots', settings], { CLOUD_PASSWORD: password });
}

function unlessStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    }),
  ]);
}
