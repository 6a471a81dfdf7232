/** What needs somebody's attention, and who is told. */
import { z } from 'zod';
import { TrustSchema } from '../nouns.ts';
import { type ApiOperation, nothing } from './operation.ts';

export const AlarmSchema = z.object({
  /** The same for the same trouble, as long as it lasts. */
  key: z.string(),
  kind: z.enum([
    'node-away',
    'cloud-failed',
    'storage-full',
    'job-failed',
    'job-waiting',
    'certificate-expiry',
    'token-expiry',
    'database',
    'on-hold',
  ]),
  severity: z.enum(['warning', 'critical']),
  what: z.string(),
  /** The node, cloud, job or server that it is about. */
  where: z.string(),
  since: z.string(),
  remedy: z.string(),
  acknowledged: z.object({ by: z.string(), at: z.string() }).optional(),
});
export type AlarmView = z.infer<typeof AlarmSchema>;

/** When something becomes an alarm. */
export const AlarmRulesSchema = z.object({
  nodeAwaySeconds: z.number().int().min(1).max(86_400),
  cloudFailedSeconds: z.number().int().min(1).max(86_400),
  jobWaitingSeconds: z.number().int().min(1).max(86_400),
  /** Of the transfer storage: by transfers and reserved, without the cache. */
  storagePercent: z.number().int().min(1).max(100),
  expiryDays: z.number().int().min(1).max(365),
});
export type AlarmRules = z.infer<typeof AlarmRulesSchema>;

/** No more than what a mail server can be asked for: it decides itself. */
const address = z
  .string()
  .max(254)
  .regex(/^[^\s@<>",;]+@[^\s@<>",;]+$/);
const host = z.string().min(1).max(253);
const port = z.number().int().min(1).max(65_535);
/** Absent: the certificate authorities of the server's machine. */
const trust = TrustSchema.optional();

export const WebhookSchema = z.object({ kind: z.literal('webhook'), url: z.url({ protocol: /^https$/ }), trust });
export const EmailSchema = z.object({
  kind: z.literal('email'),
  host,
  port,
  /** `tls` from the first byte on, or `starttls`, which is then demanded. A pinned certificate needs `tls`. */
  security: z.enum(['tls', 'starttls']).default('tls'),
  user: z.string().optional(),
  from: address,
  to: z.array(address).min(1).max(50),
  trust,
});
export const SyslogSchema = z.object({
  kind: z.literal('syslog'),
  host,
  port,
  transport: z.enum(['udp', 'tcp', 'tls']).default('tls'),
  trust,
});
export const ChannelTargetSchema = z.discriminatedUnion('kind', [WebhookSchema, EmailSchema, SyslogSchema]);
export type ChannelTarget = z.infer<typeof ChannelTargetSchema>;
const EventsSchema = z.array(z.enum(['alarms', 'jobs'])).min(1);

export const ChannelSchema = z.object({
  id: z.string(),
  name: z.string(),
  target: ChannelTargetSchema,
  events: EventsSchema,
  /** Messages that wait for another try. */
  waiting: z.number(),
  /** Why the last try failed. */
  trouble: z.string().optional(),
});
export type ChannelView = z.infer<typeof ChannelSchema>;

export const AddChannelSchema = z.object({
  name: z.string().min(1).max(64),
  target: ChannelTargetSchema,
  events: EventsSchema.default(['alarms']),
  /** Of a webhook: signs its messages; made where it is absent. Of e-mail: the account's password. It goes into the vault. */
  secret: z.string().min(1).max(1024).optional(),
});

export const alarmsOperations = {
  listAlarms: {
    method: 'GET',
    path: '/alarms',
    summary: 'What needs attention now',
    answer: z.object({ alarms: z.array(AlarmSchema) }),
    needs: 'administrator',
  },
  acknowledgeAlarm: {
    method: 'POST',
    path: '/alarms/acknowledge',
    summary: 'Somebody looks after it: it stays in the list until its cause is gone',
    body: z.object({ key: z.string() }),
    answer: AlarmSchema,
    needs: 'administrator',
    audit: ['key'],
  },
  getAlarmRules: {
    method: 'GET',
    path: '/alarms/rules',
    summary: 'When something becomes an alarm',
    answer: AlarmRulesSchema,
    needs: 'administrator',
  },
  setAlarmRules: {
    method: 'PUT',
    path: '/alarms/rules',
    summary: 'Change when something becomes an alarm',
    body: AlarmRulesSchema.partial(),
    answer: AlarmRulesSchema,
    needs: 'administrator',
  },
  listChannels: {
    method: 'GET',
    path: '/channels',
    summary: 'Who is told of alarms and jobs',
    answer: z.object({ channels: z.array(ChannelSchema) }),
    needs: 'administrator',
  },
  addChannel: {
    method: 'POST',
    path: '/channels',
    summary: 'Tell a webhook, an e-mail address or a syslog server of alarms, of jobs, or of both',
    body: AddChannelSchema,
    /** `secret`: of a webhook where the server made it; it is shown only this once. */
    answer: ChannelSchema.extend({ secret: z.string().optional() }),
    needs: 'administrator',
  },
  testChannel: {
    method: 'POST',
    path: '/channels/:channel/test',
    summary: 'Send a test message now and say what came of it',
    answer: nothing,
    needs: 'administrator',
  },
  removeChannel: {
    method: 'DELETE',
    path: '/channels/:channel',
    summary: 'Tell a channel nothing any more',
    answer: nothing,
    needs: 'administrator',
  },
} as const satisfies Record<string, ApiOperation>;
