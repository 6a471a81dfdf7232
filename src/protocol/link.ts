/**
 * The link between server and node. Whoever dials (the node: `dial-home`; the server: `direct`) makes a TLS 1.3
 * connection with both pins checked and asks by HTTP/1.1 `GET /link/v1`, `Upgrade: cloudspan-link`, with its protocol
 * range. After `101` the socket speaks HTTP/2 in one direction: the server asks, the node answers, whoever dialled.
 * Bodies are JSON; faults are `FaultReport` with the status of their code; inventory is NDJSON.
 */
import { z } from 'zod';
import { LogLevelSchema, SetLogLevelSchema } from './log-level.ts';
import {
  CheckSchema,
  DifferenceSchema,
  FaultReportSchema,
  InventoryObjectSchema,
  LedgerEntrySchema,
  NodeLimitsSchema,
  OptionDescriptionSchema,
  OptionValuesSchema,
  PackageDescriptionSchema,
  PowerActionSchema,
  PrioritySchema,
  StorageSchema,
  TransferProgressSchema,
  TrustSchema,
} from './nouns.ts';
import { HandPackageKeySchema, SealedKeySchema } from './package.ts';
import { ReachAttemptSchema } from './reach.ts';
import { RemovalRowSchema, removalOperations, VerdictSchema } from './removal.ts';

export const LINK_PATH = '/link/v1';
export const LINK_UPGRADE = 'cloudspan-link';
/** Id of the job that a question is asked for, so that both logs name it. */
export const JOB_HEADER = 'x-cloudspan-job';
/** `POST` with `JoinRequest`, before there is a link; answers `JoinAnswer`. Needs the client certificate that will be pinned. */
export const JOIN_PATH = '/link/v1/join';

/** What a join token carries, as base64url JSON behind `cs1.`; the token is single use and short-lived. */
export const JoinTokenSchema = z.object({
  /** Where the server is reached: `host:port`. */
  server: z.string(),
  /** The server's pin. */
  pin: z.string(),
  /** Base64url, 32 bytes; the server keeps only its SHA-256. */
  secret: z.string(),
  expires: z.string(),
});
export type JoinToken = z.infer<typeof JoinTokenSchema>;

export const JoinRequestSchema = z.object({
  secret: z.string(),
  name: z.string().min(1).max(64),
  /** Who dials the link. `direct` needs `address`. */
  link: z.enum(['dial-home', 'direct']),
  /** Whether peers may dial this node, and meet there; needs `address`. */
  public: z.boolean(),
  /** `host:port` under which server and peers reach the node. */
  address: z.string().optional(),
});
export const JoinAnswerSchema = z.object({
  node: z.string(),
  server: z.string(),
  /** The server's certificate (PEM): tickets are checked with its key. */
  certificate: z.string(),
});
export type JoinRequest = z.infer<typeof JoinRequestSchema>;
export type JoinAnswer = z.infer<typeof JoinAnswerSchema>;

export const DriverDescriptionSchema = z.object({
  name: z.string(),
  title: z.string(),
  options: z.array(OptionDescriptionSchema),
});

/** How others reach a node, and how it gets out. */
export const NodeReachSchema = z.object({
  /** `host:port` where it can be dialled, the likeliest first; as it was told, and as it listens now. */
  addresses: z.array(z.string()),
  /** It meets peers at a relay. A public one is a relay itself. */
  relay: z.boolean(),
  /** `host:port` of the proxy of each way out that has one. */
  proxies: z.object({ server: z.string().optional(), peer: z.string().optional(), cloud: z.string().optional() }),
});
export type NodeReach = z.infer<typeof NodeReachSchema>;

export const NodeAboutSchema = z.object({
  name: z.string(),
  version: z.string(),
  protocol: z.number(),
  /** The node's clock, ISO 8601. */
  time: z.string(),
  drivers: z.array(DriverDescriptionSchema),
  storage: StorageSchema,
  /** IANA name of the zone of the node's clock. */
  timeZone: z.string().optional(),
  /** Absent: a node that only knows the one address of its join, and no relay. */
  reach: NodeReachSchema.optional(),
});
export type NodeAbout = z.infer<typeof NodeAboutSchema>;

export const ProbeRequestSchema = z.object({ driver: z.string(), options: OptionValuesSchema });

/** Opens a session with a cloud, or replaces it. Secrets are among the options; the node holds them in memory only. */
export const SessionRequestSchema = z.object({
  driver: z.string(),
  label: z.string(),
  owner: z.string(),
  options: OptionValuesSchema,
  trust: TrustSchema,
});
export type SessionRequest = z.infer<typeof SessionRequestSchema>;

export const CloudAboutSchema = z.object({
  vendor: z.string(),
  product: z.string(),
  version: z.string(),
  apiVersion: z.string(),
  instance: z.string(),
  user: z.string(),
  time: z.string().optional(),
  /** Facets that this driver has: `power`, `exports`, `imports`. */
  facets: z.array(z.string()),
});
export type CloudAboutAnswer = z.infer<typeof CloudAboutSchema>;

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
  kind: z.enum(['export', 'import', 'read', 'undo', 'remove']),
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

/** One operation of the node's API: both sides are made from this table. */
interface Operation {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `:name` parts are parameters. */
  path: string;
  body?: z.ZodType;
  answer: z.ZodType;
}

const nothing = z.object({});

export const linkOperations = {
  about: { method: 'GET', path: '/about', answer: NodeAboutSchema },
  /** The certificate that a cloud shows to this node; null when the driver uses none. */
  probe: {
    method: 'POST',
    path: '/probe',
    body: ProbeRequestSchema,
    answer: z.object({ certificate: z.unknown().nullable() }),
  },
  openSession: { method: 'PUT', path: '/clouds/:cloud/session', body: SessionRequestSchema, answer: CloudAboutSchema },
  closeSession: { method: 'DELETE', path: '/clouds/:cloud/session', answer: nothing },
  getObject: { method: 'GET', path: '/clouds/:cloud/objects/:object', answer: InventoryObjectSchema },
  describe: { method: 'GET', path: '/clouds/:cloud/objects/:object/description', answer: PackageDescriptionSchema },
  placement: {
    method: 'GET',
    path: '/clouds/:cloud/objects/:object/placement',
    answer: z.array(OptionDescriptionSchema),
  },
  checkExport: { method: 'GET', path: '/clouds/:cloud/objects/:object/export-check', answer: z.array(CheckSchema) },
  checkImport: {
    method: 'POST',
    path: '/clouds/:cloud/import-check',
    body: ImportCheckRequestSchema,
    answer: z.array(CheckSchema),
  },
  power: {
    method: 'POST',
    path: '/clouds/:cloud/objects/:object/power',
    body: z.object({ action: PowerActionSchema }),
    answer: nothing,
  },
  /**
   * Starts the work or finds it. A repeated order renews the ticket. With a higher epoch a failed or cancelled work (and
   * an import whose object was undone, and any undo) begins again with its ledger and what arrived; a finished export or
   * import is found. To have a finished export read again, forget it first.
   * Faults: `epoch.stale`, `auth.forbidden` (the ticket), `input.invalid` (the id belongs to another work).
   */
  startWork: { method: 'PUT', path: '/work/:work', body: WorkOrderSchema, answer: WorkStateSchema },
  /** Query: `revision` (known so far), `log` (last number known), `seconds` (how long to wait for a newer one, at most 30). */
  getWork: { method: 'GET', path: '/work/:work', answer: WorkStateSchema },
  cancelWork: { method: 'POST', path: '/work/:work/cancel', body: CancelRequestSchema, answer: WorkStateSchema },
  /** Marks the object of a finished import as the user's result: undo leaves it alone from now on. */
  keepWork: { method: 'POST', path: '/work/:work/keep', body: KeepRequestSchema, answer: WorkStateSchema },
  /** Forgets an ended work and frees its transfer storage. Refused while it runs. Idempotent. */
  forgetWork: { method: 'DELETE', path: '/work/:work', answer: nothing },
  /** The receipt without signatures in canonical JSON comes in; the node signs it if its own journal agrees. */
  signReceipt: {
    method: 'POST',
    path: '/work/:work/sign',
    body: z.object({ epoch: z.number().int(), receipt: z.string() }),
    answer: z.object({ pin: z.string(), signature: z.string() }),
  },
  ...removalOperations,
  /** How fast transfers of this server may go, from now on and over restarts. Replaces what was told before. */
  /**
   * The key (base64, 32 bytes) under which this owner's blocks lie on the node's disk; the node holds it in memory only.
   * Blocks under another key are removed. Asked for by `storage.encrypted`; at each link.
   */
  giveKey: {
    method: 'PUT',
    path: '/owners/:owner/key',
    body: z.object({ key: z.string() }),
    answer: nothing,
  },
  /**
   * Forgets the key of this owner, and everything that lies in the transfer storage for him. Fault `job.state` while an
   * import of his runs. Idempotent.
   */
  eraseOwner: { method: 'DELETE', path: '/owners/:owner', answer: nothing },
  /** How much the node's process logs. Nodes of 0.1.0 and older have neither. */
  getLogLevel: { method: 'GET', path: '/log-level', answer: LogLevelSchema },
  setLogLevel: { method: 'PUT', path: '/log-level', body: SetLogLevelSchema, answer: LogLevelSchema },
  setLimits: { method: 'PUT', path: '/limits', body: NodeLimitsSchema, answer: nothing },
  /** Opens the key of a package with this node's own and seals it for another node: in between it is never in clear. */
  handPackageKey: { method: 'POST', path: '/package-key', body: HandPackageKeySchema, answer: SealedKeySchema },
  /**
   * Whether this node can open a TLS connection to a peer's address and finds its pin there. With a ticket (of a transfer
   * that nobody has begun) it goes the ticket's whole way, each address or the relay, until the peer has read the ticket.
   */
  reach: {
    method: 'POST',
    path: '/reach',
    body: z.object({ address: z.string(), pin: z.string(), ticket: z.string().optional() }),
    answer: z.object({
      reachable: z.boolean(),
      fault: FaultReportSchema.optional(),
      attempts: z.array(ReachAttemptSchema).optional(),
    }),
  },
} as const satisfies Record<string, Operation>;

/** `GET`, NDJSON of `InventoryEvent`, until one side closes; not in the table because it streams. */
export const INVENTORY_PATH = '/clouds/:cloud/inventory';

export type LinkOperations = typeof linkOperations;
export type LinkOperationName = keyof LinkOperations;
