/** Schemas of the model's nouns, for everything that comes in through a door. */
import { z } from 'zod';
import type { Check } from '../model/check.ts';
import type { Difference } from '../model/comparison.ts';
import type { FaultReport } from '../model/fault.ts';
import { type FaultCode, faultKinds } from '../model/fault-kinds.ts';
import type { InventoryEvent, InventoryObject } from '../model/inventory.ts';
import type { TransferProgress } from '../model/job.ts';
import type { LedgerEntry } from '../model/ledger.ts';
import { type Limit, type NodeLimits, WEEKDAYS } from '../model/limit.ts';
import type { PackageDescription } from '../model/machine.ts';
import type { CertificateSeen, OptionDescription, Trust } from '../model/option.ts';
import type { Receipt } from '../model/receipt.ts';

export const FaultReportSchema = z.object({
  code: z.enum(Object.keys(faultKinds) as [FaultCode, ...FaultCode[]]),
  message: z.string(),
  remedy: z.string(),
  retry: z.enum(['soon', 'later', 'never']),
  retryAfterSeconds: z.number().optional(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])).optional(),
}) satisfies z.ZodType<FaultReport>;

export const ObjectKindSchema = z.enum([
  'datacenter',
  'folder',
  'cluster',
  'host',
  'pool',
  'datastore',
  'storage-policy',
  'network',
  'vdc',
  'catalog',
  'vapp',
  'vm',
  'template',
  'media',
]);
export const PowerActionSchema = z.enum(['on', 'off', 'shutdown', 'suspend', 'resume', 'reset']);

const MachineFactsSchema = z.object({
  power: z.enum(['on', 'off', 'suspended', 'mixed', 'unknown']),
  cpus: z.number(),
  memoryMib: z.number(),
  guest: z.string(),
  hostName: z.string().optional(),
  host: z.string().optional(),
  notes: z.string(),
  diskBytes: z.number(),
  disks: z.number(),
  nics: z.array(z.object({ mac: z.string().optional(), network: z.string().optional(), connected: z.boolean() })),
  ips: z.array(z.string()),
  machines: z.number().optional(),
});

export const InventoryObjectSchema = z.object({
  id: z.string(),
  kind: ObjectKindSchema,
  name: z.string(),
  parent: z.string().nullable(),
  abilities: z.array(z.enum(['power', 'export', 'hold-machines', 'hold-templates', 'hold-media'])),
  owner: z.string().optional(),
  tags: z.array(z.string()).optional(),
  machine: MachineFactsSchema.optional(),
  capacity: z.object({ totalBytes: z.number().optional(), freeBytes: z.number().optional() }).optional(),
  facts: z.record(z.string(), z.string()).optional(),
}) satisfies z.ZodType<InventoryObject>;

export const InventoryEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('snapshot'), objects: z.array(InventoryObjectSchema) }),
  z.object({ type: z.literal('put'), objects: z.array(InventoryObjectSchema) }),
  z.object({ type: z.literal('gone'), ids: z.array(z.string()) }),
]) satisfies z.ZodType<InventoryEvent>;

export const OptionDescriptionSchema = z.object({
  name: z.string(),
  label: z.string(),
  help: z.string(),
  type: z.enum(['text', 'secret', 'url', 'number', 'switch', 'choice', 'object']),
  required: z.boolean(),
  default: z.string().optional(),
  choices: z.array(z.object({ value: z.string(), label: z.string() })).optional(),
  kinds: z.array(z.string()).optional(),
}) satisfies z.ZodType<OptionDescription>;

export const OptionValuesSchema = z.record(z.string(), z.string());

export const TrustSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('pin'), sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits') }),
  z.object({ kind: z.literal('ca'), pem: z.string() }),
]) satisfies z.ZodType<Trust>;

export const CertificateSeenSchema = z.object({
  host: z.string(),
  port: z.number(),
  sha256: z.string(),
  subject: z.string(),
  issuer: z.string(),
  validFrom: z.string(),
  validTo: z.string(),
  names: z.array(z.string()),
  trustedBySystem: z.boolean(),
  chain: z.array(z.object({ subject: z.string(), sha256: z.string(), validTo: z.string() })).optional(),
}) satisfies z.ZodType<CertificateSeen>;

export const CheckSchema = z.object({
  name: z.string(),
  outcome: z.enum(['pass', 'warn', 'fail']),
  found: z.string(),
  remedy: z.string().optional(),
  reason: z.string().optional(),
}) satisfies z.ZodType<Check>;

export const LedgerEntrySchema = z.object({
  id: z.string(),
  job: z.string(),
  owner: z.string(),
  cloud: z.string(),
  action: z.enum(['create', 'change']),
  kind: z.union([ObjectKindSchema, z.enum(['upload', 'lease', 'download', 'snapshot'])]),
  role: z.string(),
  name: z.string(),
  marker: z.string(),
  objectId: z.string().optional(),
  before: z.string().optional(),
  after: z.string().optional(),
  state: z.enum(['intent', 'made', 'kept', 'removed', 'absent']),
  at: z.string(),
}) satisfies z.ZodType<LedgerEntry>;

const PropertySchema = z.object({
  classId: z.string().optional(),
  instanceId: z.string().optional(),
  key: z.string(),
  type: z.string(),
  value: z.string().optional(),
  label: z.string().optional(),
  description: z.string().optional(),
  userConfigurable: z.boolean(),
  password: z.boolean().optional(),
});

const MachineSchema = z.object({
  id: z.string(),
  name: z.string(),
  notes: z.string(),
  guestId: z.string(),
  hardwareVersion: z.string().optional(),
  cpus: z.number(),
  coresPerSocket: z.number(),
  memoryMib: z.number(),
  firmware: z.enum(['bios', 'efi']),
  secureBoot: z.boolean().optional(),
  controllers: z.array(
    z.object({
      id: z.string(),
      kind: z.enum(['ide', 'sata', 'nvme', 'lsilogic', 'lsilogic-sas', 'buslogic', 'pvscsi', 'virtio-scsi']),
      bus: z.number(),
    }),
  ),
  disks: z.array(
    z.object({
      id: z.string(),
      label: z.string(),
      capacityBytes: z.number(),
      usedBytes: z.number().optional(),
      controller: z.string(),
      unit: z.number(),
      format: z.enum(['thin', 'thick', 'eager-thick']).optional(),
    }),
  ),
  nics: z.array(
    z.object({
      label: z.string(),
      kind: z.enum(['e1000', 'e1000e', 'vmxnet3', 'vmxnet2', 'vmxnet', 'pcnet32', 'flexible', 'virtio', 'sriov']),
      mac: z.string().optional(),
      network: z.string().nullable(),
      connected: z.boolean(),
      ip: z.object({ mode: z.enum(['dhcp', 'pool', 'manual', 'none']), address: z.string().optional() }).optional(),
    }),
  ),
  bootOrder: z.array(z.enum(['disk', 'network', 'cdrom', 'floppy'])),
  uuid: z.string().optional(),
  properties: z.array(PropertySchema),
  eulas: z.array(z.string()),
  extras: z.record(z.string(), z.string()),
});

const FileSchema = z.object({
  id: z.string(),
  path: z
    .string()
    .max(1024)
    .refine((path) => !/[\\\p{Cc}]/u.test(path) && !path.split('/').some((part) => ['', '.', '..'].includes(part)), {
      error: 'a file of a package has a path inside of the package',
    }),
  bytes: z.number().int().nonnegative(),
});

export const PackageDescriptionSchema = z
  .object({
    kind: z.enum(['vm', 'vapp', 'template', 'media']),
    name: z.string(),
    notes: z.string(),
    machines: z.array(MachineSchema),
    networks: z.array(z.object({ name: z.string(), description: z.string().optional() })),
    startOrder: z.array(
      z.object({
        machine: z.string(),
        order: z.number(),
        startAction: z.enum(['powerOn', 'none']),
        startDelaySeconds: z.number(),
        stopAction: z.enum(['powerOff', 'guestShutdown', 'none']),
        stopDelaySeconds: z.number(),
      }),
    ),
    properties: z.array(PropertySchema),
    eulas: z.array(z.string()),
    files: z.array(FileSchema).optional(),
  })
  .refine(({ kind, machines, files }) => kind !== 'media' || (machines.length === 0 && files?.length === 1), {
    error: 'media are one file and no machine',
  }) satisfies z.ZodType<PackageDescription>;

/** A node's transfer storage. What is optional an older node does not tell. */
export const StorageSchema = z.object({
  limitBytes: z.number(),
  /** On its disk, cache included. */
  usedBytes: z.number(),
  freeDiskBytes: z.number(),
  /** Needed by transfers. */
  liveBytes: z.number().optional(),
  /** Makes way for transfers. */
  cacheBytes: z.number().optional(),
  /** Kept free for what running transfers have still to receive. */
  reservedBytes: z.number().optional(),
  /** Blocks are encrypted: the server has to give its key at each link. */
  encrypted: z.boolean().optional(),
});
export type StorageView = z.infer<typeof StorageSchema>;

export const TransferProgressSchema = z.object({
  disks: z.array(
    z.object({
      disk: z.string(),
      label: z.string(),
      capacityBytes: z.number(),
      arrivedBytes: z.number(),
      givenBytes: z.number(),
    }),
  ),
  totalBytes: z.number(),
  doneBytes: z.number(),
  zeroBytes: z.number(),
  alreadyThereBytes: z.number(),
  wireBytes: z.number(),
  resentBytes: z.number(),
}) satisfies z.ZodType<TransferProgress>;

const RateSchema = z.number().min(0).max(1e15).nullable();

export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

export const LimitSchema = z.object({
  bitsPerSecond: RateSchema,
  timeZone: z.string().refine(isTimeZone, 'is no known time zone').optional(),
  windows: z
    .array(
      z.object({
        days: z.array(z.enum(WEEKDAYS)).min(1),
        from: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:MM'),
        to: z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'must be HH:MM'),
        bitsPerSecond: RateSchema,
      }),
    )
    .max(100),
}) satisfies z.ZodType<Limit>;

const LimitsByPinSchema = z.record(z.string(), LimitSchema);
export const NodeLimitsSchema = z.object({
  own: LimitSchema.nullable(),
  pairs: LimitsByPinSchema,
  peers: LimitsByPinSchema,
}) satisfies z.ZodType<NodeLimits>;

/** 1 is what everybody has. */
export const PrioritySchema = z.number().int().min(1).max(4);

export const DifferenceSchema = z.object({
  field: z.string(),
  left: z.string(),
  arrived: z.string(),
  nature: z.enum(['expected', 'lost']),
}) satisfies z.ZodType<Difference>;

const ReceiptNodeSchema = z.object({ pin: z.string(), name: z.string(), version: z.string() });

export const ReceiptSchema = z.object({
  version: z.literal(1),
  job: z.string(),
  transfer: z.string(),
  source: z.object({ cloud: z.string(), object: z.string(), name: z.string(), version: z.string() }),
  destination: z.object({ cloud: z.string(), object: z.string(), name: z.string() }),
  startedAt: z.string(),
  endedAt: z.string(),
  nodes: z.object({ source: ReceiptNodeSchema, destination: ReceiptNodeSchema }).optional(),
  disks: z.array(
    z.object({
      disk: z.string(),
      label: z.string(),
      capacityBytes: z.number(),
      sourceRoot: z.string(),
      destinationRoot: z.string(),
      level: z.enum(['sent', 'checksum', 'readback']),
      checksum: z.string().optional(),
    }),
  ),
  sourceRoot: z.string(),
  destinationRoot: z.string(),
  signatures: z.record(z.string(), z.string()),
  keys: z.record(z.string(), z.string()).optional(),
}) satisfies z.ZodType<Receipt>;
