import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
let folder = '';
let command = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-package-'));
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root });
  const archive = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? '';
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  await run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', join(folder, archive)], { cwd: folder });
  command = join(folder, 'node_modules/.bin/cloudspan');
}, 240_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

it('the installed package has the command', async () => {
  const { stdout } = await run(command, ['--version']);
  expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
});

it('the installed package starts a lab, and ends it when it is told to', async () => {
  const child = spawn(command, ['lab', 'vcenter', '--data', join(folder, 'lab'), '--world', 'empty'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((done) => child.once('exit', done));
  for await (const line of createInterface({ input: child.stdout })) {
    expect(JSON.parse(line)).toMatchObject({ ready: true, kind: 'vcenter' });
    break;
  }
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});

it('the installed package serves the UI', async () => {
  const files = await readdir(join(folder, 'node_modules/cloudspan/dist/ui'));
  expect(files).toContain('index.html');
});

it('the installed package runs the demo to its proof', async () => {
  const { stdout } = await run(command, ['demo', '--once', '--json'], { maxBuffer: 16 * 1024 * 1024 });
  const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as {
    ok: boolean;
    sourceRoot: string;
    destinationRoot: string;
  };
  expect(last.ok).toBe(true);
  expect(last.destinationRoot).toBe(last.sourceRoot);
}, 240_000);

it('the installed package has a typed client: what is wrong is found by the compiler, what is right asks a server', async () => {
  const settings = {
    module: 'nodenext',
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    types: [],
    strict: true,
  };
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...settings, skipLibCheck: true }, files: ['right.mts'] }),
  );
  const program = (query: string) => `
    import { connect, Fault, type JobView } from 'cloudspan/client';
    const [server, fingerprint, password] = process.argv.slice(2) as [string, string, string];
    const connection = await connect({ server, fingerprint, user: 'admin', password });
    const { jobs } = await connection.client.listJobs({ query: ${query} });
    const states: JobView['state'][] = jobs.map(({ state }) => state);
    const missing = await connection.client.getJob({ job: '99' }).catch((error: unknown) => error as Fault);
    console.log(JSON.stringify({ states, code: missing instanceof Fault ? missing.code : 'none' }));
    await connection[Symbol.asyncDispose]();
    declare const process: { argv: string[] };
    declare const console: { log(text: string): void };
  `;
  const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder];
  await writeFile(join(folder, 'right.mts'), program('{ limit: "many" }'));
  const wrong = await run(process.execPath, tsc).catch((error: { stdout: string }) => error);
  expect(wrong.stdout).toContain('right.mts');
  await writeFile(join(folder, 'right.mts'), program('{ limit: 10 }'));
  await run(process.execPath, tsc).catch((error: { stdout: string }) => expect(error.stdout).toBe(''));
  const child = spawn(command, ['server', '--data', join(folder, 'server'), '--listen', '127.0.0.1:0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((done) => child.once('exit', done));
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const { url, fingerprint, firstPassword } = JSON.parse(line) as Record<string, string>;
      const words = [join(folder, 'right.mjs'), url ?? '', fingerprint ?? '', firstPassword ?? ''];
      const { stdout } = await run(process.execPath, words);
      expect(JSON.parse(stdout)).toEqual({ states: [], code: 'object.missing' });
      break;
    }
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}, 120_000);
