/** Builds what an installed package needs into dist/: the sources without types, the simulators and the UI. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const out = join(root, 'dist');

/** Paths of files below a folder of the repository, without tests and the UI's sources. */
function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return path === 'src/ui' ? [] : sources(path);
    return entry.name.includes('.test.') || entry.name.startsWith('sample-') ? [] : [path];
  });
}

/** Imports and worker URLs name `.ts` files in the sources; beside the built file lies a `.js`. */
function besideBuilt(text: string): string {
  return text.replace(/((?:from|import|import\(|URL\()\s*['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2');
}

/** The types of what the package exports, and of what that is made of. */
function writeTypes(): void {
  const settings = join(out, 'tsconfig.json');
  const compilerOptions = {
    ...{ noEmit: false, declaration: true, emitDeclarationOnly: true, rewriteRelativeImportExtensions: true },
    ...{ rootDir: '..', outDir: '.' },
  };
  writeFileSync(
    settings,
    JSON.stringify({ extends: '../tsconfig.json', compilerOptions, include: [], files: ['../src/cli/client.ts'] }),
  );
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', settings], { stdio: 'inherit' });
  rmSync(settings);
  for (const name of readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.d.ts'))) {
    writeFileSync(join(out, name), besideBuilt(readFileSync(join(out, name), 'utf8')));
  }
}

rmSync(out, { recursive: true, force: true });
for (const path of [...sources('src'), ...sources('sims')]) {
  const target = join(out, path);
  mkdirSync(dirname(target), { recursive: true });
  if (!path.endsWith('.ts')) {
    cpSync(join(root, path), target);
    continue;
  }
  const text = stripTypeScriptTypes(readFileSync(join(root, path), 'utf8'), { mode: 'strip' });
  writeFileSync(target.replace(/\.ts$/, '.js'), besideBuilt(text));
}
writeTypes();
// Sources ask for the version two folders up.
const { name, version, type } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, string>;
writeFileSync(join(out, 'package.json'), `${JSON.stringify({ name, version, type })}\n`);
execFileSync(
  process.execPath,
  [join(root, 'node_modules/vite/bin/vite.js'), 'build', join(root, 'src/ui'), '--logLevel', 'warn'],
  {
    stdio: 'inherit',
    cwd: root,
  },
);
