import { Fault } from '../../model/fault.ts';
import { child, childrenOf, numberOf, type Ref, refOf, textOf } from './element.ts';
import { isVimFault, toFault } from './faults.ts';
import { decodeName } from './names.ts';
import { filterSpec, objectsOfView, retrieve, withView } from './property-collector.ts';
import type { Session } from './session.ts';
import { element, leaf, reference } from './soap.ts';
import { runTask } from './tasks.ts';

/** A datastore and what is needed to reach its files. */
export interface Datastore {
  ref: Ref;
  /** As people see it. */
  name: string;
  /** As the API has it. */
  writtenName: string;
  datacenter: Ref;
  /** Path of the datacenter in the inventory, as `/folder` wants it. */
  datacenterPath: string;
  browser: Ref;
  freeBytes: number;
  usable: boolean;
}

export interface DatastoreFile {
  name: string;
  bytes: number;
  /** Time of the last change, as the API tells it. */
  modified: string;
}

const STORE_PATHS = ['name', 'parent', 'browser', 'summary.freeSpace', 'summary.accessible', 'summary.maintenanceMode'];

/** All datastores, each with its datacenter. */
export async function readDatastores(session: Session, signal: AbortSignal): Promise<Datastore[]> {
  const root = session.service('rootFolder');
  const sets = [
    { type: 'Datacenter', paths: ['name', 'parent'] },
    { type: 'Folder', paths: ['name', 'parent'] },
    { type: 'Datastore', paths: STORE_PATHS },
  ];
  const types = sets.map(({ type }) => type);
  try {
    const contents = await withView(session, root, types, signal, (view) =>
      retrieve(session, filterSpec(sets, objectsOfView(view)), signal),
    );
    const all = new Map(contents.map((content) => [content.ref.id, content]));
    const upFrom = (id: string | undefined) => all.get(refOf(all.get(id ?? '')?.props.get('parent'))?.id ?? '');
    return contents.flatMap(({ ref, props }): Datastore[] => {
      const browser = refOf(props.get('browser'));
      if (ref.type !== 'Datastore' || browser === undefined) return [];
      let datacenter = upFrom(ref.id);
      while (datacenter !== undefined && datacenter.ref.type !== 'Datacenter') datacenter = upFrom(datacenter.ref.id);
      if (datacenter === undefined) return [];
      const names: string[] = [];
      for (let at: typeof datacenter | undefined = datacenter; at !== undefined; at = upFrom(at.ref.id)) {
        if (at.ref.id !== root.id) names.unshift(at.props.get('name')?.text ?? '');
      }
      const writtenName = props.get('name')?.text ?? ref.id;
      const mode = props.get('summary.maintenanceMode')?.text ?? 'normal';
      return [
        {
          ref,
          name: decodeName(writtenName),
          writtenName,
          datacenter: datacenter.ref,
          datacenterPath: names.join('/'),
          browser,
          freeBytes: numberOf(props.get('summary.freeSpace')) ?? 0,
          usable: props.get('summary.accessible')?.text !== 'false' && mode === 'normal',
        },
      ];
    });
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, 'reading the datastores');
  }
}

/** `[datastore] folder/file`, as the API names a file. */
export function writtenPath({ writtenName }: Datastore, path: string): string {
  return `[${writtenName}] ${path}`;
}

/** Where a file is read and written over HTTPS (vSphere Web Services API, "Datastore file access"). */
export function urlPathOf({ writtenName, datacenterPath }: Datastore, path: string): string {
  const query = `dcPath=${encodeURIComponent(datacenterPath)}&dsName=${encodeURIComponent(writtenName)}`;
  return `/folder/${path.split('/').map(encodeURIComponent).join('/')}?${query}`;
}

/** Name and folder of a path. */
export function partsOfPath(path: string): { folder: string; name: string } {
  const at = path.lastIndexOf('/');
  return at < 0 ? { folder: '', name: path } : { folder: path.slice(0, at), name: path.slice(at + 1) };
}

/**
 * The files of one folder, not of those below it; null when there is no such folder. Looks for one name where `only`
 * says so. A task of the server (HostDatastoreBrowser.SearchDatastore_Task).
 */
export async function filesIn(
  session: Session,
  store: Datastore,
  folder: string,
  signal: AbortSignal,
  only?: string,
): Promise<DatastoreFile[] | null> {
  const details =
    leaf('fileType', true) + leaf('fileSize', true) + leaf('modification', true) + leaf('fileOwner', false);
  // What would mean something in a pattern is compared here.
  const pattern = only === undefined || /[*?[\]]/.test(only) ? undefined : only;
  const content =
    leaf('datastorePath', writtenPath(store, folder)) +
    element('searchSpec', element('details', details), leaf('matchPattern', pattern));
  try {
    const info = await runTask(session, 'SearchDatastore_Task', store.browser, signal, content);
    return childrenOf(child(info, 'result'), 'file')
      .filter(({ type }) => type !== 'FolderFileInfo')
      .map((file) => ({
        name: textOf(file, 'path') ?? '',
        bytes: numberOf(file, 'fileSize') ?? 0,
        modified: textOf(file, 'modification') ?? '',
      }))
      .filter(({ name }) => only === undefined || name === only);
  } catch (error) {
    signal.throwIfAborted();
    if (isVimFault(error, 'FileNotFound')) return null;
    throw toFault(error, session.who, `looking into ${writtenPath(store, folder)}`);
  }
}

export async function findFile(
  session: Session,
  store: Datastore,
  path: string,
  signal: AbortSignal,
): Promise<DatastoreFile | undefined> {
  const { folder, name } = partsOfPath(path);
  return (await filesIn(session, store, folder, signal, name))?.[0];
}

/** FileManager.MakeDirectory with its parents; one that is there is fine. */
export async function makeFolder(
  session: Session,
  store: Datastore,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const content =
    leaf('name', writtenPath(store, folder)) +
    reference('datacenter', store.datacenter) +
    leaf('createParentDirectories', true);
  try {
    await session.call('MakeDirectory', session.service('fileManager'), signal, { content });
  } catch (error) {
    signal.throwIfAborted();
    if (isVimFault(error, 'FileAlreadyExists')) return;
    throw toFault(error, session.who, `making the folder ${writtenPath(store, folder)}`);
  }
}

/** FileManager.MoveDatastoreFile_Task. Fault `object.exists`: nothing is replaced. */
export async function moveFile(
  session: Session,
  store: Datastore,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  const content =
    leaf('sourceName', writtenPath(store, from)) +
    reference('sourceDatacenter', store.datacenter) +
    leaf('destinationName', writtenPath(store, to)) +
    reference('destinationDatacenter', store.datacenter) +
    leaf('force', false);
  try {
    await runTask(session, 'MoveDatastoreFile_Task', session.service('fileManager'), signal, content);
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, `giving ${writtenPath(store, to)} its name`);
  }
}

/** FileManager.DeleteDatastoreFile_Task. One that is gone already is fine. */
export async function deleteFile(session: Session, store: Datastore, path: string, signal: AbortSignal): Promise<void> {
  const content = leaf('name', writtenPath(store, path)) + reference('datacenter', store.datacenter);
  try {
    await runTask(session, 'DeleteDatastoreFile_Task', session.service('fileManager'), signal, content);
  } catch (error) {
    signal.throwIfAborted();
    if (isVimFault(error, 'FileNotFound')) return;
    const locked = isVimFault(error, 'FileLocked', 'CannotDeleteFile');
    if (!locked) throw toFault(error, session.who, `removing ${writtenPath(store, path)}`);
    throw new Fault('object.in-use', `${session.who}: ${writtenPath(store, path)} is in use and was not removed`, {
      cause: error,
      remedy: 'Take it out of the drives of the machines that use it; then undo again.',
    });
  }
}
