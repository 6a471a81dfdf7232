import { delay } from '../../base/backoff.ts';
import { inJob } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { WorkOrder, WorkResult, WorkState } from '../../protocol/work.ts';
import { blockOwner, type Desk, ownerAt, transferOf } from './desk.ts';
import { runExport } from './export.ts';
import { runImport } from './import.ts';
import { timeAfter } from './ledger-book.ts';
import { runRead } from './read.ts';
import { runRemoval } from './removal.ts';
import { runSetAside } from './set-aside.ts';
import { runUndo } from './undo.ts';
import { type EndPhase, Work } from './work.ts';

interface Running {
  control: AbortController;
  ended: Promise<void>;
}

const SHUTDOWN = new Fault('node.unreachable', 'the node is shutting down');
const LONGEST_POLL_SECONDS = 30;
const END_AGAIN_MILLISECONDS = 1000;
/** Written down, so that a crash before the transfer was opened again is made up for. */
const BEGINNING_AGAIN = 'starting again';
/** A cloud that does not answer does not keep the node from stopping; leases end by themselves. */
const CLOSE_MILLISECONDS = 2000;

/** All works of this node. They outlive links, servers and the process. */
export class Works {
  readonly #desk: Desk;
  readonly #works = new Map<string, Work>();
  readonly #running = new Map<Work, Running>();
  readonly #closing = new AbortController();
  #closed = false;

  constructor(desk: Desk) {
    this.#desk = desk;
    for (const row of desk.journal.works())
      this.#works.set(keyOf(row.server, row.id), new Work(desk.journal, row, desk.log));
    desk.peers.expects = (server, transfer) =>
      [...this.#works.values()].some(
        ({ ended, row }) =>
          !ended &&
          row.server === server &&
          row.order.kind === 'export' &&
          row.result === undefined &&
          transferOf(row.order) === transfer,
      );
  }

  /** Goes on with what a crash or shutdown interrupted. */
  async resume(): Promise<void> {
    await this.#releaseForgotten();
    for (const work of this.#works.values()) {
      if (!work.ended && work.row.text === BEGINNING_AGAIN) void this.#beginAgain(work);
      else if (!work.ended) this.#run(work);
      else if (work.row.order.kind === 'import' && work.row.phase === 'done') void this.#resumeLastWord(work);
    }
  }

  /**
   * Starts the work, or finds it. A higher epoch takes the job over: a running work goes on, a failed or cancelled one
   * begins again with its ledger and what arrived. The same work with a new ticket uses it from then on.
   * Faults: `epoch.stale`, `input.invalid` (the id belongs to another work), `auth.forbidden` (the ticket).
   */
  start(server: string, id: string, order: WorkOrder): WorkState {
    this.#checkOpen();
    const { journal, log, peers } = this.#desk;
    this.#admit(server, order.job, order.epoch);
    const known = this.#works.get(keyOf(server, id));
    if ((order.kind === 'export' || order.kind === 'import') && known?.row.phase !== 'done') {
      peers.check(server, order.ticket, order.kind === 'export' ? 'source' : 'destination');
    }
    if (known === undefined) {
      const row = {
        server,
        id,
        epoch: order.epoch,
        order,
        phase: 'running',
        text: 'starting',
        cancelled: false,
        paused: false,
        revision: 0,
      } as const;
      journal.putWork(row);
      const work = new Work(journal, row, log);
      this.#works.set(keyOf(server, id), work);
      this.#run(work);
      return work.state();
    }
    if (known.row.order.kind !== order.kind || known.row.order.job !== order.job) {
      throw new Fault('input.invalid', `work ${id} is there already and is another one`);
    }
    if (
      order.kind === 'export' &&
      known.row.phase === 'done' &&
      order.object !== (known.row.order as typeof order).object
    ) {
      throw new Fault('input.invalid', `work ${id} has read another object; it has to be forgotten first`);
    }
    const higher = order.epoch > known.row.epoch;
    if (!known.ended || higher) known.save({ epoch: order.epoch, order });
    if (higher && known.ended && this.#mayBeginAgain(known)) {
      known.save({
        phase: 'running',
        text: BEGINNING_AGAIN,
        fault: undefined,
        result: undefined,
        cancelled: false,
        paused: false,
      });
      known.movedAt = performance.now();
      void this.#beginAgain(known);
    }
    return known.state();
  }

  get(server: string, id: string): Work {
    const work = this.#works.get(keyOf(server, id));
    if (work === undefined) throw new Fault('work.unknown', `the node does not know work ${id}`);
    return work;
  }

  /** Fault `epoch.stale`: the command comes from a server that lost the job. */
  admit(work: Work, epoch: number): void {
    this.#admit(work.row.server, work.row.order.job, epoch);
  }

  /** Waits up to 30 s for something newer than `revision`. */
  async poll(
    server: string,
    id: string,
    known: { revision: number; log: number; seconds: number },
    signal: AbortSignal,
  ): Promise<WorkState> {
    const work = this.get(server, id);
    await work.newer(known.revision, Math.min(known.seconds, LONGEST_POLL_SECONDS), signal);
    return work.state(known.log);
  }

  /**
   * Ends the work; what it made stays as its ledger says. Of an ended work: its state. Durable when it returns.
   * @param paused What arrived is kept until it begins again, or is cancelled for good.
   */
  cancel(server: string, id: string, epoch: number, paused = false): WorkState {
    const work = this.get(server, id);
    this.admit(work, epoch);
    if (!work.ended) this.#cancel(work, paused);
    else if (work.row.phase === 'cancelled' && work.row.paused !== paused) work.save({ paused });
    return work.state();
  }

  /** What the finished import made is the user's from now on: an undo leaves it alone. */
  keep(server: string, id: string, epoch: number): WorkState {
    const work = this.get(server, id);
    this.admit(work, epoch);
    if (work.row.order.kind !== 'import' || work.row.phase !== 'done') {
      throw new Fault('job.state', `work ${id} is no finished import`);
    }
    const { journal } = this.#desk;
    for (const entry of journal.ledger(server, id)) {
      if (entry.state !== 'made') continue;
      journal.putLedger(server, id, { ...entry, state: 'kept', at: timeAfter(entry.at) });
    }
    work.save({});
    return work.state();
  }

  /** Frees the transfer storage. Idempotent. Fault `job.state` while the work runs. */
  async forget(server: string, id: string): Promise<void> {
    const work = this.#works.get(keyOf(server, id));
    if (work === undefined) return;
    if (!work.ended) throw new Fault('job.state', `work ${id} still runs`);
    const { journal } = this.#desk;
    await this.#settled(work);
    await this.#dropBlocks(work);
    this.#works.delete(keyOf(server, id));
    journal.forgetWork(server, id);
  }

  /** Removes what the transfer storage holds for an owner. Idempotent. Fault `job.state` while a work of his writes there. */
  async erase(server: string, owner: string): Promise<void> {
    const { store, versions } = this.#desk;
    const his = [...this.#works.values()].filter(({ row }) => row.server === server && row.order.owner === owner);
    const running = his.find(({ ended, row }) => !ended && writesBlocks(row.order));
    if (running !== undefined) throw new Fault('job.state', `work ${running.row.id} still runs`);
    for (const work of his) await this.#dropBlocks(work);
    await store.erase(ownerAt(server, owner));
    await versions.forget(ownerAt(server, owner));
  }

  /** Stops everything where it stands; `resume` of the next process goes on. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.abort(SHUTDOWN);
    const running = [...this.#running.values()];
    for (const { control } of running) control.abort(SHUTDOWN);
    const ended = Promise.allSettled(running.map((one) => one.ended)).then(() => this.#desk.arrivals.close());
    await Promise.race([ended, delay(CLOSE_MILLISECONDS)]);
  }

  /** An import reads what its source is now, and takes over what had arrived as far as that is still the same. */
  async #beginAgain(work: Work): Promise<void> {
    await this.#settled(work);
    const { order } = work.row;
    try {
      if (order.kind === 'import') {
        await this.#desk.arrivals.release(work);
        await this.#desk.transfers.reopen(blockOwner(work.row), transferOf(order));
      }
      work.save({ text: 'starting' });
      this.#run(work);
    } catch (error) {
      await this.#end(work, 'failed', { fault: Fault.from(error, `work ${work.row.id}`) });
    }
  }

  #run(work: Work): void {
    if (this.#closed || this.#running.has(work)) return;
    const control = new AbortController();
    if (work.row.cancelled) control.abort(new Fault('job.cancelled', `work ${work.row.id} was cancelled`));
    const ended = inJob(work.row.order.job, () => this.#perform(work, control.signal)).finally(() =>
      this.#running.delete(work),
    );
    this.#running.set(work, { control, ended });
  }

  async #perform(work: Work, signal: AbortSignal): Promise<void> {
    try {
      signal.throwIfAborted();
      const result = await this.#runKind(work, signal);
      await this.#end(work, 'done', { result });
    } catch (error) {
      if (signal.reason === SHUTDOWN) return;
      const fault = Fault.from(error, `work ${work.row.id}`);
      if (fault.code === 'internal') this.#desk.log.error({ err: error, work: work.row.id }, 'a work failed');
      const cancelled = new Fault('job.cancelled', `work ${work.row.id} was cancelled`);
      if (work.row.cancelled) await this.#end(work, 'cancelled', { fault: cancelled });
      else await this.#end(work, 'failed', { fault });
    }
  }

  /** An end that cannot be written down waits for space on the disk; until then the work has not ended. */
  async #end(work: Work, phase: EndPhase, outcome: { fault?: Fault; result?: WorkResult }): Promise<void> {
    while (!this.#closed) {
      try {
        return work.end(phase, outcome);
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'storage.full') throw error;
        work.trouble('attempt', error);
        await delay(END_AGAIN_MILLISECONDS);
      }
    }
  }

  async #runKind(work: Work, signal: AbortSignal): Promise<WorkResult> {
    const { order } = work.row;
    if (order.kind === 'export') return runExport(this.#desk, work, signal);
    if (order.kind === 'read') return runRead(this.#desk, work, signal);
    if (order.kind === 'import') return runImport(this.#desk, work, signal, () => this.#makeRoom());
    if (order.kind === 'set-aside') return runSetAside(this.#desk, work, signal);
    for (const id of order.works) {
      const other = this.#works.get(keyOf(work.row.server, id));
      if (other === undefined || other === work) continue;
      if (!other.ended) this.#cancel(other);
      await this.#settled(other);
    }
    return order.kind === 'remove' ? runRemoval(this.#desk, work, signal) : runUndo(this.#desk, work, signal);
  }

  /** Blocks of transfers that no work here knows: a crash came between forgetting the work and freeing its storage. */
  async #releaseForgotten(): Promise<void> {
    const { store, transfers } = this.#desk;
    const known = new Set(
      [...this.#works.values()].flatMap(({ row }) =>
        row.order.kind === 'export' || row.order.kind === 'import'
          ? [keyOf(blockOwner(row), transferOf(row.order))]
          : [],
      ),
    );
    for (const { owner, transfer } of store.transfers()) {
      if (known.has(keyOf(owner, transfer))) continue;
      await store.release(owner, transfer);
      await transfers.forget(owner, transfer);
    }
  }

  async #dropBlocks(work: Work): Promise<void> {
    const { arrivals, store, transfers } = this.#desk;
    const { order } = work.row;
    if (order.kind !== 'import') return;
    await arrivals.release(work);
    const transfer = transferOf(order);
    await store.release(blockOwner(work.row), transfer);
    await transfers.forget(blockOwner(work.row), transfer);
  }

  /**
   * Gives up what the import that failed or was cancelled longest ago had received for a retry, which then receives it
   * again. False when there is none.
   */
  async #makeRoom(): Promise<boolean> {
    const { store } = this.#desk;
    const before = store.usage().liveBytes;
    const given = [...this.#works.values()]
      .filter(({ row }) => row.order.kind === 'import' && (row.phase === 'failed' || row.phase === 'cancelled'))
      .filter(({ row }) => !row.paused)
      .sort((one, other) => one.row.revision - other.row.revision);
    for (const work of given) {
      await this.#dropBlocks(work);
      if (store.usage().liveBytes < before) {
        work.log.info('what had arrived was removed to make room for another transfer');
        return true;
      }
    }
    return false;
  }

  #cancel(work: Work, paused = false): void {
    work.save({ cancelled: true, paused, text: paused ? 'pausing' : 'cancelling' });
    this.#running.get(work)?.control.abort(new Fault('job.cancelled', `work ${work.row.id} was cancelled`));
  }

  async #settled(work: Work): Promise<void> {
    await this.#running.get(work)?.ended.catch(() => {});
  }

  /**
   * A finished transfer stands, unless its object was undone meanwhile; an undo may always be done again, and so may a
   * reading for the cache, which may have lost it.
   */
  #mayBeginAgain(work: Work): boolean {
    const { order, phase, server, id } = work.row;
    if (phase !== 'done' || order.kind === 'undo' || order.kind === 'remove') return true;
    if (order.kind !== 'import' && order.kind !== 'set-aside') return writesBlocks(order);
    const ledger = this.#desk.journal.ledger(server, id);
    return ledger.length > 0 && ledger.every((entry) => entry.state === 'removed' || entry.state === 'absent');
  }

  async #resumeLastWord(work: Work): Promise<void> {
    const { arrivals, transfers, keyring } = this.#desk;
    if (work.row.order.kind !== 'import') return;
    try {
      await keyring.until(blockOwner(work.row), this.#closing.signal, () => {});
      const state = await transfers.load(blockOwner(work.row), transferOf(work.row.order));
      const stands = work.row.phase === 'done' && this.#works.get(keyOf(work.row.server, work.row.id)) === work;
      if (state === null || state.done || !stands) return;
      const arrival = arrivals.open(this.#desk, work, () => {});
      arrival.pull.conclude();
      arrivals.linger(work, arrival);
    } catch (error) {
      if (!this.#closed)
        work.log.warn(`the source may not know that everything arrived: ${Fault.from(error, 'transfer').message}`);
    }
  }

  #admit(server: string, job: string, epoch: number): void {
    this.#checkOpen();
    const { journal } = this.#desk;
    const current = journal.epoch(server, job);
    if (epoch < current) {
      this.#desk.log.warn({ job, epoch, current }, 'refused the command of a server that no longer has the job');
      throw new Fault('epoch.stale', `job ${job} is at epoch ${current}, the command is of ${epoch}`);
    }
    if (epoch > current) journal.raiseEpoch(server, job, epoch);
  }

  #checkOpen(): void {
    if (this.#closed) throw SHUTDOWN;
  }
}

function writesBlocks(order: WorkOrder): boolean {
  return order.kind === 'import' || (order.kind === 'read' && order.remember !== undefined);
}

function keyOf(server: string, id: string): string {
  return JSON.stringify([server, id]);
}
