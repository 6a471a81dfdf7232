import { Fault } from '../../model/fault.ts';
import { createPull, type Pull } from '../../transfer/receiver/pull.ts';
import { blockOwner, type Desk, pacedTransfer, peerOptions, type TransferOrder, transferOf } from './desk.ts';
import { recallVersions } from './lineage.ts';
import type { Work } from './work.ts';

/** The receiving end of one transfer while somebody cares for it. */
export interface Arrival {
  readonly pull: Pull;
  /** Aborted with the fault that ended the pull. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/**
 * The pulls of this node by work. One is kept open after its import ended until the source knows that everything
 * arrived: a source that was killed in that very moment reads everything anew and has to hear it again.
 */
export class Arrivals {
  readonly #lingering = new Map<Work, Arrival>();

  /** @param makeRoom Asked when the transfer storage is full; says whether it freed anything. */
  open(desk: Desk, work: Work, trouble: (fault: Fault | null) => void, makeRoom?: () => Promise<boolean>): Arrival {
    const lingering = this.#lingering.get(work);
    if (lingering !== undefined) {
      this.#lingering.delete(work);
      return lingering;
    }
    const transfer = transferOf(work.row.order as TransferOrder);
    const ended = new AbortController();
    const peer = desk.peers.receive(peerOptions(work, transfer, trouble));
    const inlet = desk.limits.inlet(pacedTransfer(work));
    const pull = createPull({
      transfer,
      owner: blockOwner(work.row),
      store: desk.store,
      journal: desk.transfers,
      take: peer.take,
      inlet,
      recall: (description) => recallVersions(desk, work, description),
      stallSeconds: desk.stallSeconds,
      signal: ended.signal,
      log: desk.log,
      trouble: (fault) => work.trouble('storage', fault),
      ...(makeRoom === undefined ? {} : { makeRoom }),
    });
    pull.confirmed.catch(() => {});
    return {
      pull,
      lost: pull.ended,
      async close() {
        ended.abort(new Fault('transfer.lost', `transfer ${transfer}: closed at the receiver`));
        peer[Symbol.dispose]();
        await pull.close();
        inlet[Symbol.dispose]();
      },
    };
  }

  /** Keeps the arrival of an ended import until the source has confirmed it. */
  linger(work: Work, arrival: Arrival): void {
    this.#lingering.set(work, arrival);
    arrival.pull.confirmed.then(
      () => this.release(work),
      () => this.release(work),
    );
  }

  /** Idempotent. */
  async release(work: Work): Promise<void> {
    const arrival = this.#lingering.get(work);
    this.#lingering.delete(work);
    await arrival?.close();
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#lingering.keys()].map((work) => this.release(work)));
  }
}
