import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { exists, flatOf, onDisk, type Place, parsePlace, writePlace } from './datastore-files.ts';
import type { Lab } from './lab.ts';
import { type Invocation, kind } from './managed.ts';
import { type Data, flag, object, objects, ref, text, texts, typeOf } from './value.ts';
import { VimFault } from './vim-fault.ts';

type Browser = { id: string; datastores: string[] };

function find(lab: Lab, id: string): Browser | undefined {
  const owner = lab.any(id.replace(/^datastoreBrowser-/, ''));
  if (owner?.type === 'Datastore') return { id, datastores: [owner.id] };
  if (owner?.type !== 'HostSystem') return undefined;
  const compute = lab.find('ClusterComputeResource', owner.parent) ?? lab.find('ComputeResource', owner.parent);
  return { id, datastores: compute?.datastores ?? [] };
}

function pattern(glob: string): RegExp {
  const source = [...glob]
    .map((one) => (one === '*' ? '.*' : one === '?' ? '.' : one.replace(/[.+^${}()|[\]\\]/g, '\\$&')))
    .join('');
  return new RegExp(`^${source}$`, 'i');
}

const KINDS: [suffix: string, type: string][] = [
  ['.vmdk', 'VmDiskFileInfo'],
  ['.vmx', 'VmConfigFileInfo'],
  ['.vmtx', 'TemplateConfigFileInfo'],
  ['.iso', 'IsoImageFileInfo'],
  ['.nvram', 'VmNvramFileInfo'],
  ['.log', 'VmLogFileInfo'],
];

function infoType(name: string, folder: boolean): string {
  return folder ? 'FolderFileInfo' : (KINDS.find(([suffix]) => name.endsWith(suffix))?.[1] ?? 'FileInfo');
}

function queryType(info: string): string {
  return info.replace(/Info$/, 'Query');
}

async function results(lab: Lab, at: Place, spec: Data): Promise<Data> {
  const patterns = texts(spec, 'matchPattern').map(pattern);
  const queries = objects(spec, 'query').map((one) => typeOf(one, 'FileQuery'));
  const details = object(spec, 'details');
  const files: Data[] = [];
  for (const entry of (await readdir(onDisk(lab, at), { withFileTypes: true })).sort((a, b) =>
    a.name.localeCompare(b.name),
  )) {
    const place = { ...at, path: path.posix.join(at.path, entry.name) };
    // The extent of a disk is shown as its descriptor, as a browser of a datastore does.
    if (
      entry.name.endsWith('-flat.vmdk') &&
      (await exists(onDisk(lab, { ...place, path: place.path.replace(/-flat\.vmdk$/, '.vmdk') })))
    )
      continue;
    if (patterns.length && !patterns.some((one) => one.test(entry.name))) continue;
    const type = infoType(entry.name, entry.isDirectory());
    if (queries.length && !queries.includes('FileQuery') && !queries.includes(queryType(type))) continue;
    const flat = onDisk(lab, flatOf(place));
    const size = await stat(type === 'VmDiskFileInfo' && (await exists(flat)) ? flat : onDisk(lab, place));
    files.push({
      _type: type,
      path: entry.name,
      friendlyName: entry.name,
      ...(flag(details, 'fileSize') ? { fileSize: entry.isDirectory() ? 0 : size.size } : {}),
      ...(flag(details, 'modification') ? { modification: size.mtime.toISOString() } : {}),
      ...(flag(details, 'fileOwner') ? { owner: 'root' } : {}),
    });
  }
  return {
    _type: 'HostDatastoreBrowserSearchResults',
    datastore: ref('Datastore', at.datastore),
    folderPath: writePlace(lab, at),
    file: files,
  };
}

async function below(lab: Lab, at: Place): Promise<Place[]> {
  const found = [at];
  for (const entry of await readdir(onDisk(lab, at), { withFileTypes: true })) {
    if (entry.isDirectory()) found.push(...(await below(lab, { ...at, path: path.posix.join(at.path, entry.name) })));
  }
  return found;
}

function search(call: Invocation, browser: Browser, args: Data, deep: boolean) {
  const { lab } = call;
  const written = text(args, 'datastorePath') ?? '';
  const place = parsePlace(lab, written);
  if (!browser.datastores.includes(place.datastore))
    throw new VimFault('InvalidDatastore', `Datastore of '${written}' is not here.`, { name: written });
  const spec = object(args, 'searchSpec') ?? {};
  return lab.tasks.start(
    call,
    ref('Datastore', place.datastore),
    lab.get('Datastore', place.datastore).name,
    'Datastore.browse',
    async () => {
      if (!(await exists(onDisk(lab, place))))
        throw new VimFault('FileNotFound', `File ${written} was not found`, { file: written });
      if (!deep) return results(lab, place, spec);
      const all: Data[] = [];
      for (const one of await below(lab, place)) {
        const found = await results(lab, one, spec);
        if (objects(found, 'file').length) all.push(found);
      }
      return { _type: 'ArrayOfHostDatastoreBrowserSearchResults', HostDatastoreBrowserSearchResults: all };
    },
  );
}

export const datastoreBrowser = kind<Browser>(
  'HostDatastoreBrowser',
  find,
  {
    datastore: (_lab, browser) => browser.datastores.map((id) => ref('Datastore', id)),
    supportedType: () => [],
  },
  {
    SearchDatastore_Task: (call, browser, args) => search(call, browser, args, false),
    SearchDatastoreSubFolders_Task: (call, browser, args) => search(call, browser, args, true),
  },
);
