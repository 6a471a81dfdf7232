/** What a trial of the ways between two nodes found. */
import { z } from 'zod';
import { CheckSchema, FaultReportSchema } from './nouns.ts';

/** One address that was tried from a node. */
export const ReachAttemptSchema = z.object({
  /** `host:port`. */
  address: z.string(),
  /** `host:port` of the proxy that leads there. */
  proxy: z.string().optional(),
  /** What was taken, in order: `dns`, `tcp`, `proxy`, `tls`, `certificate`, `relay`, `ticket`. */
  steps: z.array(z.object({ step: z.string(), milliseconds: z.number(), found: z.string() })),
  /** What blocks; `details.step` says where. */
  fault: FaultReportSchema.optional(),
});
export type ReachAttempt = z.infer<typeof ReachAttemptSchema>;

const ReachLegSchema = z.object({
  /** The node that goes out. */
  node: z.string(),
  attempts: z.array(ReachAttemptSchema),
  fault: FaultReportSchema.optional(),
});
/** Every way between two nodes, tried. */
export const NodesCheckSchema = z.object({
  open: z.boolean(),
  nodes: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      pin: z.string(),
      link: z.enum(['dial-home', 'direct']),
      public: z.boolean(),
      /** Where peers may dial it. */
      addresses: z.array(z.string()),
      /** `host:port` of the proxy of each way out. */
      proxies: z.object({ server: z.string().optional(), peer: z.string().optional(), cloud: z.string().optional() }),
      /** Of one question over the link. */
      linkMilliseconds: z.number().optional(),
      /** Its clock less the server's. */
      clockSeconds: z.number().optional(),
      fault: FaultReportSchema.optional(),
    }),
  ),
  ways: z.array(
    z.object({
      dialer: z.string(),
      dialled: z.string(),
      /** What the relay is called, where both meet at one. */
      relay: z.string().optional(),
      open: z.boolean(),
      milliseconds: z.number(),
      legs: z.array(ReachLegSchema),
    }),
  ),
  /** By name of the step that blocks: `link`, `clock`, `dns`, `tcp`, `proxy`, `tls`, `certificate`, `relay`, `ticket`, `way`. */
  findings: z.array(CheckSchema),
});
export type NodesCheck = z.infer<typeof NodesCheckSchema>;
