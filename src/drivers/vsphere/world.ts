import type { InventoryEvent, InventoryObject } from '../../model/inventory.ts';
import { refOf } from './element.ts';
import { decodeName } from './names.ts';
import { attributeKeys, describeObject, networksUsed, parentOf, type Surroundings } from './objects.ts';
import type { ObjectContent } from './property-collector.ts';
import type { ObjectUpdate } from './updates.ts';

/** What a watch knows: raw properties by id, and what was told about them. */
export class World {
  readonly #contents = new Map<string, ObjectContent>();
  readonly #told = new Map<string, string>();
  readonly #around: Surroundings;
  #touched = new Set<string>();
  #attributes: ReadonlyMap<string, string> = new Map();

  constructor(rootFolder: string) {
    this.#around = {
      networkName: (id) => this.#networkName(id),
      hostName: (id) => this.#hostName(id),
      attributeName: (key) => this.#attributes.get(key),
      machinesOf: (vapp) => [...this.#contents.values()].filter((content) => isMachineOf(content, vapp)),
      rootFolder,
    };
  }

  apply(updates: readonly ObjectUpdate[]): void {
    for (const { kind, ref, values } of updates) {
      const before = this.#contents.get(ref.id);
      this.#touch(before);
      if (kind === 'leave') {
        this.#contents.delete(ref.id);
        this.#touched.add(ref.id);
        continue;
      }
      const content = before ?? { ref, props: new Map() };
      for (const [path, value] of values) {
        if (value === null) content.props.delete(path);
        else content.props.set(path, value);
      }
      this.#contents.set(ref.id, content);
      this.#touch(content);
    }
  }

  /** Whether something that was touched has a custom attribute that nobody has named yet. */
  lacksAttributes(): boolean {
    return this.#touchedKeys().some((key) => !this.#attributes.has(key));
  }

  /** Names of the custom attributes by key. One without a name is gone: it is not asked for again. */
  nameAttributes(names: ReadonlyMap<string, string>): void {
    this.#attributes = new Map([
      ...this.#touchedKeys().map((key) => [key, ''] as const),
      ...this.#attributes,
      ...names,
    ]);
  }

  #touchedKeys(): string[] {
    return [...this.#touched].flatMap((id) => {
      const content = this.#contents.get(id);
      return content === undefined ? [] : attributeKeys(content);
    });
  }

  snapshot(): InventoryObject[] {
    this.#told.clear();
    this.#touched = new Set();
    return this.#inOrder(this.#contents.keys());
  }

  /** What changed since the last call, as events. Updates that change nothing of what is shown make none. */
  *changes(): Generator<InventoryEvent> {
    const touched = this.#touched;
    this.#touched = new Set();
    const gone = [...touched].filter((id) => !this.#contents.has(id) && this.#told.delete(id));
    const objects = this.#inOrder(touched);
    if (objects.length > 0) yield { type: 'put', objects };
    if (gone.length > 0) yield { type: 'gone', ids: gone };
  }

  #inOrder(ids: Iterable<string>): InventoryObject[] {
    const found: { depth: number; object: InventoryObject }[] = [];
    for (const id of ids) {
      const content = this.#contents.get(id);
      const object = content === undefined ? undefined : describeObject(content, this.#around);
      if (content === undefined || object === undefined) continue;
      const text = JSON.stringify(object);
      if (this.#told.get(id) === text) continue;
      this.#told.set(id, text);
      found.push({ depth: this.#depth(content), object });
    }
    return found.sort((one, other) => one.depth - other.depth).map(({ object }) => object);
  }

  /** Marks an object and those whose description depends on it. */
  #touch(content: ObjectContent | undefined): void {
    if (content === undefined) return;
    this.#touched.add(content.ref.id);
    const parent = parentOf(content);
    if (content.ref.type === 'VirtualMachine' && parent?.type === 'VirtualApp') this.#touched.add(parent.id);
    if (content.ref.type === 'HostSystem') this.#touchMachinesOn(content.ref.id);
    if (!isNetwork(content)) return;
    const keys = new Set([content.ref.id, content.props.get('key')?.text]);
    for (const machine of this.#contents.values()) {
      if (machine.ref.type !== 'VirtualMachine' || !networksUsed(machine).some((id) => keys.has(id))) continue;
      this.#touched.add(machine.ref.id);
      const vapp = parentOf(machine);
      if (vapp?.type === 'VirtualApp') this.#touched.add(vapp.id);
    }
  }

  #touchMachinesOn(host: string): void {
    for (const { ref, props } of this.#contents.values()) {
      if (ref.type === 'VirtualMachine' && refOf(props.get('runtime.host'))?.id === host) this.#touched.add(ref.id);
    }
  }

  #hostName(id: string): string | undefined {
    const name = this.#contents.get(id)?.props.get('name')?.text;
    return name === undefined ? undefined : decodeName(name);
  }

  #networkName(id: string): string | undefined {
    const direct = this.#contents.get(id);
    const found =
      direct ??
      [...this.#contents.values()].find((content) => isNetwork(content) && content.props.get('key')?.text === id);
    const name = found?.props.get('name')?.text;
    return name === undefined ? undefined : decodeName(name);
  }

  #depth(content: ObjectContent): number {
    let depth = 0;
    for (let at: ObjectContent | undefined = content; at !== undefined && depth < 100; depth++) {
      const parent = parentOf(at);
      at = parent === undefined ? undefined : this.#contents.get(parent.id);
    }
    return depth;
  }
}

function isNetwork(content: ObjectContent): boolean {
  return /Network$|Portgroup$/.test(content.ref.type);
}

function isMachineOf(content: ObjectContent, vapp: string): boolean {
  return content.ref.type === 'VirtualMachine' && parentOf(content)?.id === vapp;
}
