import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { copySparse, exists, flatOf, movePath, onDisk, type Place, parsePlace, writePlace } from './datastore-files.ts';
import type { Lab } from './lab.ts';
import { type Invocation, singleton } from './managed.ts';
import { type Data, flag, type Ref, ref, reference, text } from './value.ts';
import { VimFault } from './vim-fault.ts';

function target(call: Invocation, args: Data, name: string, datacenter: string): Place {
  return parsePlace(call.lab, text(args, name) ?? '', reference(args, datacenter)?.id);
}

function missing(file: string): VimFault {
  return new VimFault('FileNotFound', `File ${file} was not found`, { file });
}

/** A disk is moved and copied with the extent its descriptor names. */
async function parts(lab: Lab, from: Place, to: Place): Promise<[from: string, to: string][]> {
  const list: [string, string][] = [[onDisk(lab, from), onDisk(lab, to)]];
  if (from.path.endsWith('.vmdk') && (await exists(onDisk(lab, flatOf(from)))) && flatOf(from).path !== from.path) {
    list.push([onDisk(lab, flatOf(from)), onDisk(lab, flatOf(to))]);
  }
  return list;
}

function transfer(call: Invocation, args: Data, verb: 'move' | 'copy'): Ref {
  const { lab } = call;
  const from = target(call, args, 'sourceName', 'sourceDatacenter');
  const to = parsePlace(
    lab,
    text(args, 'destinationName') ?? '',
    (reference(args, 'destinationDatacenter') ?? reference(args, 'sourceDatacenter'))?.id,
  );
  return lab.tasks.start(
    call,
    ref('FileManager', 'FileManager'),
    'FileManager',
    `FileManager.${verb}`,
    async (progress, signal) => {
      if (!(await exists(onDisk(lab, from)))) throw missing(writePlace(lab, from));
      for (const [source, destination] of await parts(lab, from, to)) {
        if (await exists(destination)) {
          if (!flag(args, 'force'))
            throw new VimFault('FileAlreadyExists', `${writePlace(lab, to)} already exists`, {
              file: writePlace(lab, to),
            });
          await rm(destination, { recursive: true });
        }
        if (verb === 'move') await movePath(source, destination);
        else if ((await stat(source)).isDirectory())
          throw new VimFault('NotSupported', 'A folder cannot be copied here.');
        else await copySparse(source, destination, progress, signal);
      }
      return undefined;
    },
  );
}

export const fileManager = singleton(
  'FileManager',
  'FileManager',
  {},
  {
    async MakeDirectory(call, args) {
      const { lab } = call;
      const place = target(call, args, 'name', 'datacenter');
      const folder = onDisk(lab, place);
      if (await exists(folder))
        throw new VimFault('FileAlreadyExists', `${writePlace(lab, place)} already exists`, {
          file: writePlace(lab, place),
        });
      if (!flag(args, 'createParentDirectories') && !(await exists(path.dirname(folder))))
        throw missing(writePlace(lab, place));
      await mkdir(folder, { recursive: true });
      return undefined;
    },
    DeleteDatastoreFile_Task(call, args) {
      const { lab } = call;
      const place = target(call, args, 'name', 'datacenter');
      return lab.tasks.start(
        call,
        ref('FileManager', 'FileManager'),
        'FileManager',
        'FileManager.deleteFile',
        async () => {
          if (!place.path || !(await exists(onDisk(lab, place)))) throw missing(writePlace(lab, place));
          for (const [file] of await parts(lab, place, place)) await rm(file, { recursive: true, force: true });
          return undefined;
        },
      );
    },
    MoveDatastoreFile_Task: (call, args) => transfer(call, args, 'move'),
    CopyDatastoreFile_Task: (call, args) => transfer(call, args, 'copy'),
  },
);
