/** The public API between server and its clients (CLI, UI, yours): `/api/v1`, JSON, faults as problem+json. */
import { z } from 'zod';
import {
  CertificateSeenSchema,
  CheckSchema,
  DifferenceSchema,
  FaultReportSchema,
  InventoryObjectSchema,
  LedgerEntrySchema,
  LimitSchema,
  OptionDescriptionSchema,
  OptionValuesSchema,
  PowerActionSchema,
  PrioritySchema,
  ReceiptSchema,
  StorageSchema,
  TransferProgressSchema,
  TrustSchema,
} from './nouns.ts';
import { HandPackageKeySchema, SealedKeySchema } from './package.ts';
import { NodesCheckSchema } from './reach.ts';
import { readingOperations } from './readings.ts';

export const API_PREFIX = '/api/v1';
/** Cookie of a browser session; clients send `Authorization: Bearer` instead. Writes by cookie need the header below. */
export const SESSION_COOKIE = 'cloudspan_session';
export const CSRF_HEADER = 'x-cloudspan-request';

export const LoginSchema = z.object({ user: z.string(), password: z.string() });
export const LoginAnswerSchema = z.object({ token: z.string(), user: z.string(), expires: z.string() });
export const MeSchema = z.object({ user: z.string(), version: z.string() });

export const DriverSchema = z.object({
  name: z.string(),
  title: z.string(),
  options: z.array(OptionDescriptionSchema),
});

export const NodeSchema = z.object({
  id: z.string(),
  name: z.string(),
  pin: z.string(),
  /** SPKI, DER, base64: its SHA-256 is the pin. */
  publicKey: z.string().optional(),
  link: z.enum(['dial-home', 'direct']),
  public: z.boolean(),
  address: z.string().optional(),
  connected: z.boolean(),
  since: z.string().optional(),
  version: z.string().optional(),
  drivers: z.array(DriverSchema),
  storage: StorageSchema.optional(),
  /** For all its transfers together, where there is a limit. */
  limit: LimitSchema.optional(),
  /** For what goes between it and another node (its id). */
  pairs: z.array(z.object({ node: z.string(), limit: LimitSchema })).optional(),
});
export type NodeView = z.infer<typeof NodeSchema>;

export const TokenRequestSchema = z.object({
  /** `host:port` that the node shall use for the server. */ address: z.string().optional(),
});
export const TokenAnswerSchema = z.object({ token: z.string(), expires: z.string() });

export const LimitRequestSchema = z.object({
  /** Id or name of another node: the limit is for what goes between the two. */
  to: z.string().optional(),
  /** Null takes the limit away. Windows without a time zone are by the clock of the node that is named in the path. */
  limit: LimitSchema.nullable(),
});

export const CloudSchema = z.object({
  id: z.string(),
  name: z.string(),
  driver: z.string(),
  node: z.string(),
  /** Without secrets. */
  options: OptionValuesSchema,
  trust: TrustSchema,
  state: z.enum(['connected', 'connecting', 'failed']),
  fault: FaultReportSchema.optional(),
  product: z.string().optional(),
  version: z.string().optional(),
  objects: z.number(),
  facets: z.array(z.string()),
});
export type CloudView = z.infer<typeof CloudSchema>;

export const ProbeCloudSchema = z.object({ node: z.string(), driver: z.string(), options: OptionValuesSchema });
export const ProbeCloudAnswerSchema = z.object({ certificate: CertificateSeenSchema.nullable() });
export const AddCloudSchema = z.object({
  name: z.string().min(1).max(64),
  /** Id or name of the node next to it. */
  node: z.string(),
  driver: z.string(),
  /** Secrets included; they go into the vault. */
  options: OptionValuesSchema,
  trust: TrustSchema,
});

/** An object with the path that names it. */
export const ObjectSchema = InventoryObjectSchema.extend({ cloud: z.string(), path: z.string() });
export type ObjectView = z.infer<typeof ObjectSchema>;
export const ObjectListSchema = z.object({ objects: z.array(ObjectSchema) });
export const PowerRequestSchema = z.object({ action: PowerActionSchema });

export const CopyRequestSchema = z.object({
  kind: z.literal('copy'),
  /** `<cloud>/<path>` or `<cloud>/id:<object>`. */
  source: z.string(),
  /** A container (`<cloud>/<path>` of a folder, pool, VDC, catalog), or a container plus a last segment that is the new name. */
  destination: z.string(),
  /** Instead of the source's name. */
  name: z.string().optional(),
  /** By name of the source's network: name, path or id of a network at the destination, or null. */
  networks: z.record(z.string(), z.string().nullable()).default({}),
  placement: OptionValuesSchema.default({}),
  keepMac: z.boolean().default(false),
  keepUuid: z.boolean().default(false),
  onNameClash: z.enum(['fail', 'rename']).default('fail'),
  properties: z.record(z.string(), z.string()).default({}),
  acceptEulas: z.boolean().default(false),
  powerOn: z.boolean().default(false),
  /** Ask the source for a shutdown first; without it a running source is refused. */
  powerOffSource: z.boolean().default(false),
  /**
   * `<cloud>/<path>` of an earlier copy in the cloud of the destination. Where the node there does not hold it any more, it
   * is read first, so that only what differs from it travels.
   */
  seed: z.string().optional(),
  /** The higher, the larger its part where transfers share a limit or the way between two nodes. */
  priority: PrioritySchema.default(1),
});
export type CopyRequest = z.input<typeof CopyRequestSchema>;
export const PreflightSchema = z.object({ checks: z.array(CheckSchema), totalBytes: z.number() });

export const JobSchema = z.object({
  id: z.string(),
  /** Running number, for people. */
  number: z.number(),
  kind: z.enum(['copy']),
  title: z.string(),
  source: z.string(),
  destination: z.string(),
  state: z.enum([
    'queued',
    'running',
    'waiting',
    'pausing',
    'paused',
    'cancelling',
    'succeeded',
    'failed',
    'cancelled',
  ]),
  priority: PrioritySchema.optional(),
  createdAt: z.string(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  user: z.string(),
  steps: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['pending', 'running', 'done', 'failed', 'skipped']),
      startedAt: z.string().optional(),
      endedAt: z.string().optional(),
      text: z.string().optional(),
    }),
  ),
  progress: TransferProgressSchema.optional(),
  /** Logical bytes per second over the last seconds. */
  bytesPerSecond: z.number().optional(),
  etaSeconds: z.number().optional(),
  checks: z.array(CheckSchema),
  result: z
    .object({
      object: z.object({ cloud: z.string(), id: z.string(), kind: z.string(), name: z.string(), path: z.string() }),
      differences: z.array(DifferenceSchema),
      poweredOn: z.boolean(),
    })
    .optional(),
  failure: FaultReportSchema.extend({ leftovers: z.array(z.string()) }).optional(),
  receipt: ReceiptSchema.optional(),
});
export type JobView = z.infer<typeof JobSchema>;
export const JobListSchema = z.object({ jobs: z.array(JobSchema) });
export const LedgerSchema = z.object({ entries: z.array(LedgerEntrySchema) });
export const LogLineSchema = z.object({
  number: z.number(),
  at: z.string(),
  level: z.enum(['info', 'warn', 'error']),
  from: z.string(),
  text: z.string(),
});
export const JobLogSchema = z.object({ lines: z.array(LogLineSchema) });

/** `GET /events`: server-sent events; `data` is one of these. After a reconnect the client reads everything anew. */
export const ServerEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('job'), job: JobSchema }),
  z.object({ type: z.literal('node'), node: NodeSchema }),
  z.object({ type: z.literal('node-gone'), id: z.string() }),
  z.object({ type: z.literal('cloud'), cloud: CloudSchema }),
  z.object({ type: z.literal('cloud-gone'), id: z.string() }),
  /** Objects of this cloud changed: read again what is shown. */
  z.object({ type: z.literal('inventory'), cloud: z.string() }),
]);
export type ServerEvent = z.infer<typeof ServerEventSchema>;

/** problem+json (RFC 9457) with the fault's own words. */
export const ProblemSchema = FaultReportSchema.extend({ type: z.string(), title: z.string(), status: z.number() });

interface ApiOperation {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  summary: string;
  body?: z.ZodType;
  query?: z.ZodType;
  answer: z.ZodType;
  /** Needs no session. */
  open?: boolean;
}

const nothing = z.object({});

/** The server's routes, the OpenAPI document and the typed client are all made from this table. Paths are below API_PREFIX. */
export const apiOperations = {
  login: {
    method: 'POST',
    path: '/login',
    summary: 'Sign in',
    body: LoginSchema,
    answer: LoginAnswerSchema,
    open: true,
  },
  logout: { method: 'POST', path: '/logout', summary: 'Sign out', answer: nothing },
  me: { method: 'GET', path: '/me', summary: 'Who am I', answer: MeSchema },
  health: {
    method: 'GET',
    path: '/health',
    summary: 'Whether the server is ready',
    answer: z.object({ ready: z.boolean(), version: z.string() }),
    open: true,
  },

  eraseNode: {
    method: 'POST',
    path: '/nodes/:node/erase',
    summary: 'Erase what the transfer storage of a node holds for this server: forget its key, then free the space',
    answer: nothing,
  },
  listNodes: { method: 'GET', path: '/nodes', summary: 'All nodes', answer: z.object({ nodes: z.array(NodeSchema) }) },
  createJoinToken: {
    method: 'POST',
    path: '/nodes/tokens',
    summary: 'A token to join one node',
    body: TokenRequestSchema,
    answer: TokenAnswerSchema,
  },
  handPackageKey: {
    method: 'POST',
    path: '/nodes/:node/package-key',
    summary: 'Have a node hand the key of a package that was written for it to another node',
    body: HandPackageKeySchema,
    answer: SealedKeySchema,
  },
  setLimit: {
    method: 'PUT',
    path: '/nodes/:node/limit',
    summary: 'Limit how fast a node, or a pair of nodes, moves data; running transfers follow at once',
    body: LimitRequestSchema,
    answer: NodeSchema,
  },
  checkNodes: {
    method: 'POST',
    path: '/nodes/check',
    summary: 'Try every way between two nodes and say what blocks',
    /** Ids or names. */
    body: z.object({ source: z.string(), destination: z.string() }),
    answer: NodesCheckSchema,
  },
  removeNode: { method: 'DELETE', path: '/nodes/:node', summary: 'Forget a node', answer: nothing },

  listClouds: {
    method: 'GET',
    path: '/clouds',
    summary: 'All clouds',
    answer: z.object({ clouds: z.array(CloudSchema) }),
  },
  probeCloud: {
    method: 'POST',
    path: '/clouds/probe',
    summary: 'See the certificate of a cloud from a node',
    body: ProbeCloudSchema,
    answer: ProbeCloudAnswerSchema,
  },
  addCloud: { method: 'POST', path: '/clouds', summary: 'Add a cloud', body: AddCloudSchema, answer: CloudSchema },
  testCloud: { method: 'POST', path: '/clouds/:cloud/test', summary: 'Sign in to a cloud again', answer: CloudSchema },
  removeCloud: {
    method: 'DELETE',
    path: '/clouds/:cloud',
    summary: 'Forget a cloud; nothing in it is touched',
    answer: nothing,
  },

  listObjects: {
    method: 'GET',
    path: '/objects',
    summary: 'Objects of a cloud: the children of one, or those that a path names',
    query: z.object({
      cloud: z.string(),
      /** Id of the parent; `root` for the top. */
      parent: z.string().optional(),
      /** Path from the root; answers all objects that it fits. */
      path: z.string().optional(),
      /** Comma separated kinds; with neither parent nor path: all objects of these kinds. */
      kinds: z.string().optional(),
    }),
    answer: ObjectListSchema,
  },
  power: {
    method: 'POST',
    path: '/clouds/:cloud/objects/:object/power',
    summary: 'Change the power state',
    body: PowerRequestSchema,
    answer: nothing,
  },
  placement: {
    method: 'GET',
    path: '/clouds/:cloud/objects/:object/placement',
    summary: 'What can be chosen when something is put here',
    answer: z.object({ options: z.array(OptionDescriptionSchema) }),
  },
  description: {
    method: 'GET',
    path: '/clouds/:cloud/objects/:object/description',
    summary: 'The hardware of a machine, vApp or template',
    answer: z.object({ description: z.unknown() }),
  },

  ...readingOperations,
  preflight: {
    method: 'POST',
    path: '/preflight',
    summary: 'Check a copy without touching anything',
    body: CopyRequestSchema,
    answer: PreflightSchema,
  },
  startJob: { method: 'POST', path: '/jobs', summary: 'Start a job', body: CopyRequestSchema, answer: JobSchema },
  listJobs: {
    method: 'GET',
    path: '/jobs',
    summary: 'Jobs, newest first',
    query: z.object({ state: z.string().optional(), limit: z.coerce.number().int().min(1).max(500).default(100) }),
    answer: JobListSchema,
  },
  getJob: { method: 'GET', path: '/jobs/:job', summary: 'One job, by id or number', answer: JobSchema },
  jobLog: {
    method: 'GET',
    path: '/jobs/:job/log',
    summary: 'The log of a job',
    query: z.object({ after: z.coerce.number().int().default(0) }),
    answer: JobLogSchema,
  },
  jobLedger: {
    method: 'GET',
    path: '/jobs/:job/ledger',
    summary: 'Everything that the job made or changed in any cloud',
    answer: LedgerSchema,
  },
  cancelJob: {
    method: 'POST',
    path: '/jobs/:job/cancel',
    summary: 'Cancel a job and undo what it made',
    answer: JobSchema,
  },
  pauseJob: {
    method: 'POST',
    path: '/jobs/:job/pause',
    summary: 'Pause a job: what is held in the clouds is given back, what arrived is kept',
    answer: JobSchema,
  },
  resumeJob: { method: 'POST', path: '/jobs/:job/resume', summary: 'Go on with a paused job', answer: JobSchema },
  setPriority: {
    method: 'PUT',
    path: '/jobs/:job/priority',
    summary: 'Change the priority of a job, also while it runs',
    body: z.object({ priority: PrioritySchema }),
    answer: JobSchema,
  },
  retryJob: {
    method: 'POST',
    path: '/jobs/:job/retry',
    summary: 'Run a failed or cancelled job again; what arrived is kept',
    answer: JobSchema,
  },
} as const satisfies Record<string, ApiOperation>;

export type ApiOperations = typeof apiOperations;
export type ApiOperationName = keyof ApiOperations;
