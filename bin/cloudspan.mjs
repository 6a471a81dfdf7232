#!/usr/bin/env node
// Runs Cloudspan on the Node that came with the package, whatever Node the machine has.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const main = [join(root, 'dist/src/main.js'), join(root, 'src/main.ts')].find((file) => existsSync(file));

function ownNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/package.json`);
    return join(dirname(manifest), 'bin/node');
  } catch {
    return process.execPath;
  }
}

const [major] = process.versions.node.split('.').map(Number);
const executable = major >= 24 ? process.execPath : ownNode();
if (executable === process.execPath && major < 24) {
  console.error(
    `error: Cloudspan needs Node 24 or newer; this is ${process.version}, and no package of it came for ${process.platform}-${process.arch}`,
  );
  process.exit(1);
}
const child = spawn(executable, ['--disable-warning=ExperimentalWarning', main, ...process.argv.slice(2)], {
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
