import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createIdentity } from '../src/base/identity.ts';
import { type Cost, cpuOf, peakOf, run } from './measure.ts';

/** A tool that others use to bring a file from one machine to another, with its server on loopback. */
export interface Peer {
  name: string;
  /** Copies the file and gives what both ends cost; with `proven` the clock also sees fsync and SHA-256 of both ends. */
  copy(proven: boolean, signal?: AbortSignal): Promise<Cost>;
}

/** Where the servers and the clients of the peers run. */
export interface Where {
  /** On which the servers listen. */
  host: string;
  /** Words in front of their commands. */
  server: string[];
  client: string[];
}

const loopback: Where = { host: '127.0.0.1', server: [], client: [] };

export interface Peers extends AsyncDisposable {
  list: Peer[];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

/** Waits until the process listens; looked at from inside of its network namespace. */
async function untilOpen(server: ChildProcess, port: number): Promise<void> {
  const listening = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} \\S+ 0A `);
  for (let attempt = 0; attempt < 100; attempt++) {
    const sockets = await readFile(`/proc/${server.pid}/net/tcp`, 'utf8').catch(() => '');
    if (listening.test(sockets)) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}

function start(where: Where, command: string, words: string[]): ChildProcess {
  const [first = '', ...rest] = [...where.server, command, ...words];
  return spawn(first, rest, { stdio: 'ignore' });
}

/** nginx and sshd over the folder that holds `disk`; skipped tools are named loudly. */
export async function startPeers(folder: string, disk: string, where = loopback): Promise<Peers> {
  const servers: ChildProcess[] = [];
  const target = join(folder, 'arrived.raw');
  const list: Peer[] = [];
  const add = (name: string, server: ChildProcess, command: string, words: string[]) => {
    const pid = server.pid ?? 0;
    list.push({
      name,
      copy: async (proven, signal) => {
        await rm(target, { force: true });
        const before = cpuOf(pid);
        const begin = performance.now();
        const [first = '', ...rest] = [...where.client, command, ...words];
        const client = await run(first, rest, signal);
        let proof = 0;
        if (proven) {
          await run('sync', [target]);
          const sums = await Promise.all([disk, target].map((path) => run('openssl', ['dgst', '-sha256', path])));
          proof = sums.reduce((sum, cost) => sum + cost.cpuSeconds, 0);
        }
        const seconds = (performance.now() - begin) / 1000;
        return {
          seconds,
          cpuSeconds: client.cpuSeconds + proof + cpuOf(pid) - before,
          peakBytes: Math.max(client.peakBytes, peakOf(pid)),
        };
      },
    });
  };
  if (has('nginx')) {
    const { server, port } = await startNginx(folder, where);
    servers.push(server);
    const url = `https://${where.host}:${port}`;
    const name = basename(disk);
    add('curl + nginx', server, 'curl', ['-sS', '-f', '-k', '-o', target, `${url}/${name}`]);
    if (has('rclone'))
      add('rclone', server, 'rclone', [
        'copyto',
        `:http:${name}`,
        target,
        '--http-url',
        url,
        '--no-check-certificate',
        '--config',
        '/dev/null',
      ]);
    else missing('rclone');
  } else missing('nginx');
  if (has('sshd') || has('/usr/sbin/sshd')) {
    const { server, words } = await startSshd(folder, where);
    servers.push(server);
    add('scp', server, 'scp', [...words, `${where.host}:${disk}`, target]);
  } else missing('sshd');
  return {
    list,
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.kill('SIGTERM');
      await rm(target, { force: true });
    },
  };
}

function has(command: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function missing(tool: string): void {
  console.error(`!! ${tool} is not installed: it is missing from this comparison (bash scripts/install-witnesses.sh)`);
}

async function startNginx(folder: string, where: Where): Promise<{ server: ChildProcess; port: number }> {
  const port = await freePort();
  const identity = await createIdentity('localhost', [where.host]);
  await writeFile(join(folder, 'nginx.key'), identity.key, { mode: 0o600 });
  await writeFile(join(folder, 'nginx.crt'), identity.certificate);
  const config = `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; user root;
events {}
http {
  access_log off; sendfile on; client_body_temp_path ${folder}/nginx-body; proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-fastcgi; uwsgi_temp_path ${folder}/nginx-uwsgi; scgi_temp_path ${folder}/nginx-scgi;
  server { listen ${where.host}:${port} ssl; ssl_certificate ${folder}/nginx.crt; ssl_certificate_key ${folder}/nginx.key;
    ssl_protocols TLSv1.3; root ${folder}; }
}`;
  await writeFile(join(folder, 'nginx.conf'), config);
  const words = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'nginx.log')];
  const server = start(where, 'nginx', words);
  await untilOpen(server, port);
  return { server, port };
}

async function startSshd(folder: string, where: Where): Promise<{ server: ChildProcess; words: string[] }> {
  const port = await freePort();
  for (const key of ['host', 'user']) {
    await rm(join(folder, `${key}.key`), { force: true });
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, `${key}.key`)]);
  }
  await writeFile(join(folder, 'authorized_keys'), await readFile(join(folder, 'user.key.pub')), { mode: 0o600 });
  await mkdir('/run/sshd', { recursive: true });
  const config = [
    `Port ${port}`,
    `ListenAddress ${where.host}`,
    `HostKey ${folder}/host.key`,
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    'StrictModes no',
    'PermitRootLogin yes',
    'UsePAM no',
    `PidFile ${folder}/sshd.pid`,
    'Subsystem sftp internal-sftp',
  ];
  await writeFile(join(folder, 'sshd.conf'), `${config.join('\n')}\n`);
  const server = start(where, '/usr/sbin/sshd', ['-D', '-f', join(folder, 'sshd.conf')]);
  await untilOpen(server, port);
  const options = [
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
    'Ciphers=aes128-gcm@openssh.com',
  ];
  return {
    server,
    words: ['-q', '-P', String(port), '-i', join(folder, 'user.key'), ...options.flatMap((option) => ['-o', option])],
  };
}
