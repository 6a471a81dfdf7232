/**
 * The link between server and node. Whoever dials (the node: `dial-home`; the server: `direct`) makes a TLS 1.3
 * connection with both pins checked and asks by HTTP/1.1 `GET /link/v1`, `Upgrade: cloudspan-link`, with its protocol
 * range. After `101` the socket speaks HTTP/2 in one direction: the server asks, the node answers, whoever dialled.
 * Bodies are JSON; faults are `FaultReport` with the status of their code; inventory is NDJSON.
 */
import { z } from 'zod';
import { CloudCheckSchema } from './cloud-check.ts';
import { LogLevelSchema, SetLogLevelSchema } from './log-level.ts';
import {
  CheckSchema,
  FaultReportSchema,
  InventoryObjectSchema,
  NodeLimitsSchema,
  OptionDescriptionSchema,
  OptionValuesSchema,
  PackageDescriptionSchema,
  PowerActionSchema,
  StorageSchema,
  TrustSchema,
} from './nouns.ts';
import { HandPackageKeySchema, SealedKeySchema } from './package.ts';
import { ReachAttemptSchema } from './reach.ts';
import { removalOperations } from './removal.ts';
import {
  CancelRequestSchema,
  ImportCheckRequestSchema,
  KeepRequestSchema,
  WorkOrderSchema,
  WorkStateSchema,
} from './work.ts';

export const LINK_PATH = '/link/v1';
export const LINK_UPGRADE = 'cloudspan-link';
/** Id of the job that a question is asked for, so that both logs name it. */
export const JOB_HEADER = 'x-cloudspan-job';
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

/** A session that is opened to look and closed again; without trust the walk ends with the certificate. */
export const CloudCheckRequestSchema = SessionRequestSchema.omit({ owner: true }).extend({
  trust: TrustSchema.optional(),
});

export const CloudAboutSchema = z.object({
  vendor: z.string(),
  product: z.string(),
  version: z.string(),
  apiVersion: z.string(),
  instance: z.string(),
  user: z.string(),
  time: z.string().optional(),
  /** Facets that this driver has: `power`, `exports`, `imports`, `objects`, `sources`. Nodes of 0.1.0 know no `sources`. */
  facets: z.array(z.string()),
});
export type CloudAboutAnswer = z.infer<typeof CloudAboutSchema>;

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
  /** The whole way to a cloud step by step, up to what the account may do. Nodes of 0.1.0 and older have it not. */
  checkCloud: { method: 'POST', path: '/cloud-check', body: CloudCheckRequestSchema, answer: CloudCheckSchema },
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
  /** Where the servers of this installation are dialled; a node that dials home keeps a link to each. Nodes of 0.1.0 have it not. */
  setServers: {
    method: 'PUT',
    path: '/servers',
    body: z.object({ addresses: z.array(z.string()).max(16) }),
    answer: nothing,
  },
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
