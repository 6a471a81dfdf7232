import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Who may import whom. A room may always import itself. This table is the architecture: change it only on purpose. */
const mayImport: Record<string, string[]> = {
  'src/model': [],
  'src/base': ['src/model'],
  'src/protocol': ['src/model'],
  'src/ovf': ['src/model', 'src/base'],
  'src/transfer': ['src/model', 'src/base'],
  'src/stretch': ['src/model', 'src/base'],
  'src/drivers/driver.ts': ['src/model'],
  'src/drivers/vsphere': ['src/drivers/driver.ts', 'src/ovf', 'src/model', 'src/base'],
  'src/drivers/cloud-director': ['src/drivers/driver.ts', 'src/ovf', 'src/model', 'src/base'],
  // A package is a document from outside: its schema stands with those of the other doors.
  'src/drivers/folder': ['src/drivers/driver.ts', 'src/ovf', 'src/protocol', 'src/model', 'src/base'],
  'src/node': ['src/drivers', 'src/transfer', 'src/stretch', 'src/ovf', 'src/protocol', 'src/model', 'src/base'],
  'src/server': ['src/protocol', 'src/model', 'src/base'],
  'src/cli': ['src/protocol', 'src/model', 'src/base'],
  'src/ui': ['src/protocol', 'src/model'],
  'src/main.ts': ['src/main', 'src/cli', 'src/node', 'src/model', 'src/base'],
  'src/main': ['src/server', 'src/node', 'src/cli', 'src/model', 'src/base'],
  'sims/vcenter': [],
  'sims/cloud-director': [],
};

const rooms = Object.keys(mayImport).sort((a, b) => b.length - a.length);
const roomOf = (path: string) => rooms.find((room) => path === room || path.startsWith(`${room}/`));
const allowed = (from: string, to: string) =>
  from === to || (mayImport[from] ?? []).some((room) => to === room || to.startsWith(`${room}/`));

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'dist' ? [] : filesBelow(path);
    return /\.(ts|tsx)$/.test(entry.name) ? [path] : [];
  });
}

/** Paths that a file imports; with `running` only those that are there when it runs. */
function importsOf(path: string, running = false): string[] {
  const text = readFileSync(join(root, path), 'utf8').replace(running ? /(?:im|ex)port type [^;]*;/g : /$^/, '');
  return [...text.matchAll(/(?:from\s+|import\s+|import\()'(\.[^']+)'/g)].map((match) =>
    relative(root, resolve(root, dirname(path), match[1] ?? '')),
  );
}

const files = ['src', 'sims']
  .filter((folder) => statSync(join(root, folder), { throwIfNoEntry: false }))
  .flatMap(filesBelow);

describe('the architecture', () => {
  it('gives every file a room', () => {
    expect(files.filter((path) => roomOf(path) === undefined)).toEqual([]);
  });

  it('has only the imports of the table', () => {
    const wrong = files
      .filter((path) => !path.endsWith('.test.ts'))
      .flatMap((path) => importsOf(path).map((target) => ({ path, target })))
      .filter(({ path, target }) => !allowed(roomOf(path) ?? '', roomOf(target) ?? target))
      .map(({ path, target }) => `${path} imports ${target}`);
    expect(wrong).toEqual([]);
  });

  it('has no name of a cloud in the server and the UI', () => {
    const named = files
      .filter((path) => /^src\/(server|ui)\//.test(path) && !path.endsWith('.test.ts'))
      .filter((path) => /vsphere|vcenter|cloud.director|libvirt|esxi/i.test(readFileSync(join(root, path), 'utf8')));
    expect(named).toEqual([]);
  });

  it('has no file of more than 400 lines', () => {
    const long = [
      ...files,
      ...['test', 'bench', 'scripts']
        .filter((folder) => statSync(join(root, folder), { throwIfNoEntry: false }))
        .flatMap(filesBelow),
    ]
      .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > 400);
    expect(long).toEqual([]);
  });

  it('has no import cycle between the files of src/, types aside', () => {
    const ours = files.filter((path) => path.startsWith('src/'));
    const graph = new Map(ours.map((path) => [path, importsOf(path, true).filter((target) => ours.includes(target))]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const walk = (path: string, trail: string[]) => {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
      else if (!done.has(path)) {
        for (const target of graph.get(path) ?? []) walk(target, [...trail, path]);
        done.add(path);
      }
    };
    for (const path of ours) walk(path, []);
    expect(cycles).toEqual([]);
  });
});
