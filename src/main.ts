#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { createLog } from './base/log.ts';
import { readNamedFile } from './cli/files.ts';
import { printFault, printJson, printLine } from './cli/output.ts';
import { addClientCommands } from './cli/program.ts';
import { addNodeCommands } from './main/node.ts';
import { addServerCommands } from './main/server.ts';
import { Fault } from './model/fault.ts';

/** Sources run as they are; an installed package has them built under `dist/`. */
const built = import.meta.filename.endsWith('.js');
const code = resolve(import.meta.dirname, '..');
const root = built ? resolve(code, '..') : code;
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const program = new Command('cloudspan')
  .description('See all your clouds at once, copy machines between them, and prove that the copy is right.')
  .version(version)
  .showHelpAfterError('(see --help)')
  .enablePositionalOptions()
  .exitOverride();

addServerCommands(program, root);
addNodeCommands(program);

program
  .command('lab [kind]')
  .description('run a simulated cloud: vcenter or cloud-director (further arguments go to it, see `lab <kind> --help`)')
  .allowUnknownOption()
  .allowExcessArguments()
  .helpOption(false)
  .action(async (kind: string | undefined, _flags: unknown, command: Command) => {
    const known = ['vcenter', 'cloud-director'];
    if (kind === undefined || kind === '--help' || kind === '-h') {
      return printLine(
        `cloudspan lab <kind> [flags]: ${known.join(' or ')}; the flags of each: cloudspan lab <kind> --help`,
      );
    }
    if (!known.includes(kind))
      throw new Fault('input.invalid', `there is no lab "${kind}"`, { remedy: `There are: ${known.join(', ')}.` });
    const words = command.args.slice(1);
    if (!words.includes('--data')) words.push('--data', join(homedir(), '.cloudspan', 'lab', kind));
    process.exitCode = await runChild(join(code, 'sims', kind, built ? 'main.js' : 'main.ts'), words);
  });

program
  .command('roots <settings>')
  .description('read the disks of one object straight out of a cloud and print their roots; without server and nodes')
  .addHelpText(
    'after',
    '\nsettings: JSON file {driver, options, fingerprint, object}; the secret is read from CLOUD_PASSWORD',
  )
  .action(async (settings: string) => {
    const { readRoots } = await import('./node/roots.ts');
    printJson(
      await readRoots(
        JSON.parse(readNamedFile(settings, 'settings')),
        process.env.CLOUD_PASSWORD ?? '',
        createLog('roots'),
      ),
    );
  });

program
  .command('demo')
  .description('two simulated clouds, a server, two nodes, one proven copy between them')
  .option('--once', 'stop after the verification')
  .option('--json', 'the last line is one JSON object')
  .option('--data <folder>', 'where everything is kept (default: a new temporary folder)')
  .action(async (flags: { once?: boolean; json?: boolean; data?: string }) => {
    const { runDemo } = await import('./cli/demo/demo.ts');
    process.exitCode = await runDemo({
      executable: [process.execPath, import.meta.filename],
      once: flags.once === true,
      json: flags.json === true,
      ...(flags.data === undefined ? {} : { folder: resolve(flags.data) }),
    });
  });

addClientCommands(program);

/** Runs a child with our standard streams and passes signals on; resolves with its exit code. */
function runChild(script: string, words: string[]): Promise<number> {
  const child = spawn(process.execPath, [script, ...words], { stdio: 'inherit' });
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', pass).on('SIGTERM', pass);
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code) => done(code ?? 1));
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else process.exitCode = printFault(error, process.argv.includes('--json'));
}
