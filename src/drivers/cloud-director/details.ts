import { Fault } from '../../model/fault.ts';
import type { InventoryObject } from '../../model/inventory.ts';
import { hrefOf, locate, machinesOf, urnOf } from './entity.ts';
import { type Detail, detailOf, ownerOf } from './machine-facts.ts';
import { readTags } from './metadata.ts';
import type { Records } from './records.ts';
import type { Session } from './session.ts';

/** vApps and templates read whole per round; a large cloud is completed over several rounds. */
const READS_PER_ROUND = 96;
const READS_AT_ONCE = 4;

/** Nothing tells that metadata changed: what was read so long ago is read again, a few at a time. */
const OLD_MILLISECONDS = 600_000;
const OLD_PER_ROUND = 4;

interface Known {
  /** The records from which can be told whether it changed. */
  fingerprint: string;
  readAt: number;
  details: ReadonlyMap<string, Detail>;
}

/**
 * What query records do not tell (disks, NICs, notes, metadata), read from the documents of vApps (which hold their VMs) and
 * templates, and kept until a record of them changes.
 */
export class Details {
  readonly #session: Session;
  readonly #known = new Map<string, Known>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** Completes the objects of a round, as far as this round's budget of reads goes. */
  async complete(objects: InventoryObject[], records: Records, signal: AbortSignal): Promise<InventoryObject[]> {
    const present = fingerprintsOf(records);
    for (const id of this.#known.keys()) if (!present.has(id)) this.#known.delete(id);
    const stale = [...present].filter(([id, fingerprint]) => this.#known.get(id)?.fingerprint !== fingerprint);
    const wanted = stale.length > 0 ? stale.slice(0, READS_PER_ROUND) : this.#old();
    await inParallel(wanted, READS_AT_ONCE, ([id, fingerprint]) => this.#read(id, fingerprint, signal));
    const details = new Map([...this.#known.values()].flatMap((known) => [...known.details]));
    return objects.map((object) => ({ ...object, ...details.get(object.id) }));
  }

  #old(): [string, string][] {
    const before = performance.now() - OLD_MILLISECONDS;
    return [...this.#known]
      .filter(([, { readAt }]) => readAt < before)
      .sort(([, one], [, other]) => one.readAt - other.readAt)
      .slice(0, OLD_PER_ROUND)
      .map(([id, { fingerprint }]) => [id, fingerprint]);
  }

  async #read(id: string, fingerprint: string, signal: AbortSignal): Promise<void> {
    try {
      const session = this.#session;
      const { href } = locate(session, id);
      const element = await session.read(href, 'read a vApp', signal);
      const details = new Map([[id, detailOf(element, await readTags(session, href, signal))]]);
      for (const vm of element.name === 'VApp' ? machinesOf(element) : []) {
        const at = hrefOf(session, vm);
        details.set(urnOf('vm', at) ?? '', detailOf(vm, await readTags(session, at, signal), ownerOf(element)));
      }
      this.#known.set(id, { fingerprint, readAt: performance.now(), details });
    } catch (error) {
      signal.throwIfAborted();
      // Between the list and this read it may have gone: the next round shows that.
      if (!(error instanceof Fault) || error.code !== 'object.missing') throw error;
    }
  }
}

/** By id of the vApp or template: all records that speak of it. The hidden vApps of standalone VMs are among them. */
function fingerprintsOf(records: Records): Map<string, string> {
  const all = new Map<string, unknown[]>();
  const add = (id: string | undefined, record: unknown) => {
    if (id !== undefined) all.set(id, [...(all.get(id) ?? []), record]);
  };
  for (const record of records.vApp) add(urnOf('vapp', record.href ?? ''), record);
  for (const record of records.vAppTemplate) add(urnOf('template', record.href ?? ''), record);
  for (const record of records.vm) {
    if (record.isVAppTemplate !== 'true') add(urnOf('vapp', record.container ?? ''), record);
  }
  return new Map([...all].map(([id, list]) => [id, JSON.stringify(list)]));
}

async function inParallel<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}
