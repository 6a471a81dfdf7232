/** Works of a node: what a server orders, and what it hears of them. */
import { z } from 'zod';
import {
  DifferenceSchema,
  FaultReportSchema,
  LedgerEntrySchema,
  OptionValuesSchema,
  PackageDescriptionSchema,
  PrioritySchema,
  TransferProgressSchema,
} from './nouns.ts';
import { RemovalRowSchema, VerdictSchema } from './removal.ts';

/** An import as the server asks for it; the description comes from the source over the peer connection. */
export const ImportOrderSchema = z.object({
  name: z.string(),
  destination: z.string(),
  placement: OptionValuesSchema,
  networks: z.record(z.string(), z.string().nullable()),
  keepMac: z.boolean(),
  keepUuid: z.boolean(),
  onNameClash: z.enum(['fail', 'rename']),
  properties: z.record(z.string(), z.string()),
  acceptEulas: z.boolean(),
});
export type ImportOrder = z.infer<typeof ImportOrderSchema>;

export const ImportCheckRequestSchema = z.object({ order: ImportOrderSchema, description: PackageDescriptionSchema });

/**
 * Lets two nodes recognise each other for one transfer. Travels as `base64url(JSON).base64url(signature)`, signed with
 * the key of the server (ECDSA P-256, SHA-256).
 */
export const TicketSchema = z.object({
  transfer: z.string(),
  owner: z.string(),
  /** Pins of the two nodes; they may be equal when one node serves both clouds. */
  source: z.string(),
  destination: z.string(),
  /** Which of the two dials (the controller). */
  dialer: z.enum(['source', 'destination']),
  /** `host:port` of the side that is dialled; absent when both sides are the same node, or meet at a relay. */
  address: z.string().optional(),
  /** Further addresses of that side: tried beside the first, the first that answers is used. */
  addresses: z.array(z.string()).optional(),
  /**
   * Where both sides meet (`protocol/relay.ts`); the destination is then the dialer of what runs inside. Without
   * addresses it is the server that signed, where each node dials it anyway.
   */
  relay: z.object({ pin: z.string(), addresses: z.array(z.string()) }).optional(),
  expires: z.string(),
});
export type Ticket = z.infer<typeof TicketSchema>;

const workBase = {
  /** Raised at each takeover of the job; a node refuses an older one (`epoch.stale`). */
  epoch: z.number().int(),
  owner: z.string(),
  job: z.string(),
  /** Id of the cloud at the server: the session is opened under it. */
  cloud: z.string(),
  marker: z.string(),
  /** Part of the way that the transfer gets beside others; 1 where it is missing. A repeated order changes it. */
  priority: PrioritySchema.optional(),
};

/** `PUT /work/:id` starts the work or finds it; the id is deterministic (`<job>.export`). */
export const WorkOrderSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('export'), ...workBase, object: z.string(), ticket: z.string() }),
  z.object({
    kind: z.literal('import'),
    ...workBase,
    order: ImportOrderSchema,
    networkNames: z.record(z.string(), z.string().nullable()),
    /** The same for every version of the source that comes: its cloud and its id there. */
    lineage: z.string().optional(),
    ticket: z.string(),
  }),
  /** Reads every disk and tells the roots; nothing leaves. */
  z.object({
    kind: z.literal('read'),
    ...workBase,
    object: z.string(),
    /**
     * What is read stays in the node's cache, as the version of this lineage (see `import`) whose disks have these ids,
     * in the order of the package.
     */
    remember: z.object({ lineage: z.string(), disks: z.array(z.string()) }).optional(),
  }),
  /** Sets the source of a move aside: nothing starts it, its adapters are disconnected, it has this name. Not on nodes of 0.1.0. */
  z.object({
    kind: z.literal('set-aside'),
    ...workBase,
    object: z.string(),
    name: z.string(),
    /** What the export read: a source that reads otherwise by now is left as it is. */
    version: z.string(),
  }),
  /** Undoes what the works of this job on this node left, by their ledger. */
  z.object({ kind: z.literal('undo'), ...workBase, works: z.array(z.string()) }),
  /**
   * Removes what these rows of the job's ledger stand for, kept results too, unless something speaks against it. `works`
   * may have made them: they are ended first.
   */
  z.object({
    kind: z.literal('remove'),
    ...workBase,
    works: z.array(z.string()),
    rows: z.array(RemovalRowSchema),
  }),
]);
export type WorkOrder = z.infer<typeof WorkOrderSchema>;

export const DiskProofSchema = z.object({
  disk: z.string(),
  label: z.string(),
  capacityBytes: z.number(),
  root: z.string(),
  level: z.enum(['sent', 'checksum', 'readback']),
  checksum: z.string().optional(),
});
export type DiskProof = z.infer<typeof DiskProofSchema>;

export const WorkResultSchema = z.object({
  description: PackageDescriptionSchema,
  /** The vendor's change identity: of what an export read, of what an import made. */
  version: z.string().optional(),
  disks: z.array(DiskProofSchema),
  /** Of an import. */
  object: z.object({ id: z.string(), kind: z.string(), name: z.string() }).optional(),
  differences: z.array(DifferenceSchema),
  /** Of an undo: what could not be removed, one sentence each. */
  leftovers: z.array(z.string()),
  /** Of a removal: what became of each row. */
  removals: z.array(VerdictSchema).optional(),
});
export type WorkResult = z.infer<typeof WorkResultSchema>;

export const WorkStateSchema = z.object({
  id: z.string(),
  kind: z.enum(['export', 'import', 'read', 'set-aside', 'undo', 'remove']),
  job: z.string(),
  epoch: z.number(),
  /** Grows with every change; long polls ask for a newer one. */
  revision: z.number(),
  /**
   * `waiting`: goes on by itself when `fault` is mended (no session, storage full, peer away).
   * `done`, `failed` and `cancelled` are ends.
   */
  phase: z.enum(['running', 'waiting', 'done', 'failed', 'cancelled']),
  /** What it does right now, for people. */
  text: z.string(),
  progress: TransferProgressSchema.optional(),
  fault: FaultReportSchema.optional(),
  result: WorkResultSchema.optional(),
  ledger: z.array(LedgerEntrySchema),
  /** Lines of the work's log with a running number. */
  log: z.array(
    z.object({ number: z.number(), at: z.string(), level: z.enum(['info', 'warn', 'error']), text: z.string() }),
  ),
});
export type WorkState = z.infer<typeof WorkStateSchema>;

export const CancelRequestSchema = z.object({
  epoch: z.number().int(),
  /** It will begin again: what arrived is not given up for other transfers meanwhile. */
  paused: z.boolean().optional(),
});
export const KeepRequestSchema = z.object({ epoch: z.number().int() });
