import type { Lab } from './lab.ts';
import { type Row, readRow, selectObjects } from './selection.ts';
import type { Session } from './session-manager.ts';
import { escapeXml } from './soap/element.ts';
import { encodeElement } from './soap/encode.ts';
import type { Data, Ref } from './value.ts';
import { VimFault } from './vim-fault.ts';

type ObjectChange = {
  kind: 'enter' | 'modify' | 'leave';
  ref: Ref;
  changes: { path: string; xml: string | undefined }[];
};

/** What changed for one filter. */
export type Delta = { filter: string; objects: ObjectChange[] };

/** One filter of a PropertyCollector and what its client has been told so far. */
export class Filter {
  readonly id: string;
  readonly session: Session;
  readonly spec: Data;
  readonly partial: boolean;
  readonly #leave: () => void;
  #told = new Map<string, Row>();

  constructor(id: string, session: Session, spec: Data, partial: boolean, leave: () => void) {
    this.id = id;
    this.session = session;
    this.spec = spec;
    this.partial = partial;
    this.#leave = leave;
  }

  destroy(): void {
    this.#leave();
  }

  /** The next delta tells everything anew. */
  forget(): void {
    this.#told = new Map();
  }

  /** What changed since the last delta, which counts as told from now on. */
  delta(lab: Lab): Delta | undefined {
    const now = new Map<string, Row>();
    const changes: ObjectChange[] = [];
    for (const managed of this.#objects(lab)) {
      const row = readRow(managed, this.spec);
      const key = `${managed.type}:${managed.id}`;
      now.set(key, row);
      const before = this.#told.get(key);
      if (!before) {
        changes.push({
          kind: 'enter',
          ref: row.ref,
          changes: [...row.properties].map(([path, xml]) => ({ path, xml })),
        });
        continue;
      }
      const different = [...row.properties]
        .filter(([path, xml]) => before.properties.get(path) !== xml)
        .map(([path, xml]) => ({ path, xml }));
      const gone = [...before.properties.keys()]
        .filter((path) => !row.properties.has(path))
        .map((path) => ({ path, xml: undefined }));
      if (different.length + gone.length)
        changes.push({ kind: 'modify', ref: row.ref, changes: [...different, ...gone] });
    }
    for (const [key, row] of this.#told) if (!now.has(key)) changes.push({ kind: 'leave', ref: row.ref, changes: [] });
    this.#told = now;
    return changes.length ? { filter: this.id, objects: changes } : undefined;
  }

  /** A starting object that is gone by now has left; it is no fault of the wait. */
  #objects(lab: Lab) {
    try {
      return selectObjects(lab, this.session, this.spec);
    } catch (error) {
      if (error instanceof VimFault && error.type === 'ManagedObjectNotFound') {
        const starts = this.spec.objectSet;
        const each = Array.isArray(starts) ? starts : [];
        return each.flatMap((objectSpec) =>
          selectObjects(lab, this.session, {
            ...this.spec,
            objectSet: [objectSpec],
            reportMissingObjectsInResults: true,
          }),
        );
      }
      throw error;
    }
  }
}

export function rowXml(name: string, row: Row): string {
  const properties = [...row.properties]
    .map(([path, xml]) => `<propSet><name>${escapeXml(path)}</name>${xml}</propSet>`)
    .join('');
  return `<${name}>${encodeElement('obj', row.ref, 'ManagedObject')}${properties}</${name}>`;
}

export function updateXml(version: number, deltas: Delta[], truncated: boolean): string {
  const sets = deltas.map((delta) => {
    const each = delta.objects.map((object) => {
      const changes = object.changes.map(({ path, xml }) => {
        const op = xml === undefined && path.includes('.') ? 'indirectRemove' : 'assign';
        return `<changeSet><name>${escapeXml(path)}</name><op>${op}</op>${xml ?? ''}</changeSet>`;
      });
      return `<objectSet><kind>${object.kind}</kind>${encodeElement('obj', object.ref, 'ManagedObject')}${changes.join('')}</objectSet>`;
    });
    return `<filterSet><filter type="PropertyFilter">${escapeXml(delta.filter)}</filter>${each.join('')}</filterSet>`;
  });
  return `<returnval><version>${version}</version>${sets.join('')}${truncated ? '<truncated>true</truncated>' : ''}</returnval>`;
}
