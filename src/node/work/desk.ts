import type { Log } from '../../base/log.ts';
import type { WorkContext } from '../../drivers/driver.ts';
import { weightOf } from '../../model/limit.ts';
import { readTicket } from '../../protocol/peer.ts';
import type { WorkOrder } from '../../protocol/work.ts';
import type { Journal } from '../../transfer/receiver/journal.ts';
import type { Keyring } from '../../transfer/store/sealing.ts';
import type { BlockStore } from '../../transfer/store/store.ts';
import type { Versions } from '../../transfer/store/versions.ts';
import type { WorkJournal, WorkRow } from '../journal.ts';
import type { Limits, PacedTransfer } from '../limits.ts';
import type { PeerOptions, Peers } from '../peers.ts';
import type { Sessions } from '../sessions.ts';
import type { Arrivals } from './arrivals.ts';
import { workLedger } from './ledger-book.ts';
import type { Patience } from './patience.ts';
import type { Work } from './work.ts';

/** What works are done with. */
export interface Desk {
  readonly sessions: Sessions;
  readonly peers: Peers;
  readonly limits: Limits;
  readonly keyring: Keyring;
  readonly store: BlockStore;
  readonly versions: Versions;
  readonly transfers: Journal;
  readonly journal: WorkJournal;
  readonly arrivals: Arrivals;
  readonly patience: Patience;
  /** Silence after which a connection to another node is given up. */
  readonly stallSeconds: number;
  readonly log: Log;
}

export type OrderOf<Kind extends WorkOrder['kind']> = Extract<WorkOrder, { kind: Kind }>;
export type TransferOrder = OrderOf<'export' | 'import'>;

/** In stores and journals of blocks: the server, and the tenant there. */
export function blockOwner(row: Pick<WorkRow, 'server' | 'order'>): string {
  return ownerAt(row.server, row.order.owner);
}

export function ownerAt(server: string, owner: string): string {
  return `${server}/${owner}`;
}

export function transferOf(order: TransferOrder): string {
  return readTicket(order.ticket).ticket.transfer;
}

export function contextOf(desk: Desk, work: Work, signal: AbortSignal): WorkContext {
  const { server, id, order } = work.row;
  return { signal, log: work.log, marker: order.marker, ledger: workLedger(desk.journal, server, id, order) };
}

/** This node's end of the transfer that the work is for; a renewed ticket is used from then on. */
export function peerOptions(work: Work, transfer: string, trouble: PeerOptions['trouble']): PeerOptions {
  return {
    server: work.row.server,
    transfer,
    ticket: () => (work.row.order as TransferOrder).ticket,
    trouble,
  };
}

/** The other node of the transfer, and the work's part of what the two share. Null where one node serves both clouds. */
export function pacedTransfer(work: Work): PacedTransfer | null {
  const { ticket } = readTicket((work.row.order as TransferOrder).ticket);
  if (ticket.source === ticket.destination) return null;
  return {
    server: work.row.server,
    peer: work.row.order.kind === 'export' ? ticket.destination : ticket.source,
    weight: () => weightOf(work.row.order.priority),
  };
}
