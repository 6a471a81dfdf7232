/** How a cloud is checked, and what came of it: the same towards clients and towards nodes. */
import { z } from 'zod';
import { CAPABILITIES, type Capability } from '../model/cloud-check.ts';
import { CertificateSeenSchema, CheckSchema, FaultReportSchema } from './nouns.ts';

export const CapabilitySchema = z.object({
  name: z.enum(CAPABILITIES),
  state: z.enum(['works', 'degraded', 'missing']),
  found: z.string(),
  remedy: z.string().optional(),
}) satisfies z.ZodType<Capability>;

export const CloudCheckSchema = z.object({
  /** When, ISO 8601. */
  at: z.string(),
  /**
   * The steps in their order, each of which was taken: `dns`, `tcp`, `proxy`, `tls`, `certificate`, `clock`, `login`,
   * `version`, `privileges`. After one that failed no further one is taken.
   */
  checks: z.array(CheckSchema),
  /** Empty where it did not come so far. */
  capabilities: z.array(CapabilitySchema),
  /** What it showed, where it is reached by TLS and came so far. */
  certificate: CertificateSeenSchema.optional(),
  product: z.string().optional(),
  version: z.string().optional(),
  user: z.string().optional(),
  /** Of the step that failed; `details.step` is its name, `details.reason` the cause where it is known. */
  fault: FaultReportSchema.optional(),
});
export type CloudCheck = z.infer<typeof CloudCheckSchema>;
