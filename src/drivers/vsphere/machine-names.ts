import { Fault } from '../../model/fault.ts';
import type { Ref } from './element.ts';
import { isVimFault, toFault } from './faults.ts';
import { decodeName, encodeName, NAME_LIMIT } from './names.ts';
import { filterSpec, retrieve } from './property-collector.ts';
import type { Session } from './session.ts';
import { element, leaf, reference, typed } from './soap.ts';
import { runTask } from './tasks.ts';

/** Names of everything in a folder. */
export async function namesIn(session: Session, folder: Ref, signal: AbortSignal): Promise<Set<string>> {
  try {
    const children = await retrieve(session, childNames(folder), signal);
    return new Set(children.map((item) => decodeName(item.props.get('name')?.text ?? '')));
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, 'reading the names in the folder');
  }
}

/** All children in one call: one that is deleted meanwhile is left out and makes nothing fail. */
function childNames(folder: Ref): string {
  const path = typed(
    'selectSet',
    'TraversalSpec',
    leaf('name', 'children'),
    leaf('type', 'Folder'),
    leaf('path', 'childEntity'),
    leaf('skip', false),
  );
  const objects = element('objectSet', reference('obj', folder), leaf('skip', true), path);
  return filterSpec([{ type: 'ManagedEntity', paths: ['name'] }], objects);
}

/** The name, or with `rename` the first of `<name> (2)`, `<name> (3)` … that is free. Fault: `object.exists`. */
export function freeName(taken: ReadonlySet<string>, name: string, onClash: 'fail' | 'rename', who: string): string {
  if (!taken.has(name)) return name;
  if (onClash === 'fail') {
    throw new Fault('object.exists', `${who}: there is already something with the name "${name}" in this folder`);
  }
  for (let count = 2; ; count++) {
    const next = `${name} (${count})`;
    if (!taken.has(next)) return next;
  }
}

/** Fault: `input.invalid`. */
export function checkName(name: string, who: string): void {
  const length = encodeName(name).length;
  if (name.trim() === '') throw new Fault('input.invalid', `${who}: a machine needs a name`);
  if (length > NAME_LIMIT) {
    const more = length === [...name].length ? '' : ' (a slash, backslash or percent sign counts as three)';
    throw new Fault(
      'input.invalid',
      `${who}: the name "${name}" has ${length} characters; ${NAME_LIMIT} are allowed${more}`,
    );
  }
}

/** Gives an object its name; when somebody took it in the meantime, by the rule for clashes. Resolves with the name. */
export async function renameTo(
  session: Session,
  ref: Ref,
  folder: Ref,
  name: string,
  onClash: 'fail' | 'rename',
  signal: AbortSignal,
): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const free = freeName(await namesIn(session, folder, signal), name, onClash, session.who);
    try {
      await runTask(session, 'Rename_Task', ref, signal, leaf('newName', encodeName(free)));
      return free;
    } catch (error) {
      signal.throwIfAborted();
      if (!isVimFault(error, 'DuplicateName') || onClash === 'fail' || attempt >= 5) {
        throw toFault(error, session.who, `naming the machine "${free}"`);
      }
    }
  }
}
