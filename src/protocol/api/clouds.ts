/** Clouds as clients see them. */
import { z } from 'zod';
import { CloudCheckSchema } from '../cloud-check.ts';
import { CertificateSeenSchema, FaultReportSchema, OptionValuesSchema, TrustSchema } from '../nouns.ts';
import { type ApiOperation, nothing } from './operation.ts';

export const CloudSchema = z.object({
  id: z.string(),
  name: z.string(),
  driver: z.string(),
  node: z.string(),
  /** Id of the tenant whose it is: that of its node. */
  tenant: z.string().optional(),
  /** Without secrets. */
  options: OptionValuesSchema,
  trust: TrustSchema,
  /** Everybody uses it with their own account; state, objects and fault are then those of whoever asks. */
  ownAccounts: z.boolean().optional(),
  /** Of such a cloud: whether whoever asks has signed in to it. */
  signedIn: z.boolean().optional(),
  state: z.enum(['connected', 'connecting', 'failed']),
  fault: FaultReportSchema.optional(),
  product: z.string().optional(),
  version: z.string().optional(),
  objects: z.number(),
  facets: z.array(z.string()),
  /**
   * What its last check found: when it was added, or asked for since; its steps for administrators only. Absent: its node was
   * too old to check it.
   */
  checked: CloudCheckSchema.omit({ certificate: true }).optional(),
});
export type CloudView = z.infer<typeof CloudSchema>;

export const ProbeCloudSchema = z.object({ node: z.string(), driver: z.string(), options: OptionValuesSchema });
export const ProbeCloudAnswerSchema = z.object({ certificate: CertificateSeenSchema.nullable() });
/** `trust` left out: the walk ends with the certificate, to be shown to a person. */
export const CheckNewCloudSchema = ProbeCloudSchema.extend({
  name: z.string().min(1).max(64).default('new'),
  trust: TrustSchema.optional(),
});
export const AddCloudSchema = z.object({
  name: z.string().min(1).max(64),
  /** Id or name of the node next to it. */
  node: z.string(),
  driver: z.string(),
  /** Secrets included; they go into the vault. */
  options: OptionValuesSchema,
  trust: TrustSchema,
  /**
   * `shared`: everybody uses the account of `options`. `own`: everybody signs in with their own, and that account only keeps
   * watch. `own-only`: likewise, and that account is tried and forgotten.
   */
  signIn: z.enum(['shared', 'own', 'own-only']).default('shared'),
});

export const cloudsOperations = {
  listClouds: {
    method: 'GET',
    path: '/clouds',
    summary: 'All clouds',
    answer: z.object({ clouds: z.array(CloudSchema) }),
    needs: 'session',
  },
  probeCloud: {
    method: 'POST',
    path: '/clouds/probe',
    summary: 'See the certificate of a cloud from a node',
    body: ProbeCloudSchema,
    answer: ProbeCloudAnswerSchema,
    needs: 'tenant',
    audit: ['node', 'driver'],
  },
  checkNewCloud: {
    method: 'POST',
    path: '/clouds/check',
    summary: 'Check step by step whether a cloud could be added',
    body: CheckNewCloudSchema,
    answer: CloudCheckSchema,
    needs: 'tenant',
    audit: ['name', 'node', 'driver'],
  },
  addCloud: {
    method: 'POST',
    path: '/clouds',
    summary: 'Add a cloud',
    body: AddCloudSchema,
    answer: CloudSchema,
    needs: 'tenant',
    audit: ['name', 'node', 'driver', 'signIn'],
    repeatable: true,
  },
  testCloud: {
    method: 'POST',
    path: '/clouds/:cloud/test',
    summary: 'Sign in to a cloud again',
    answer: CloudSchema,
    needs: 'tenant',
  },
  checkCloud: {
    method: 'POST',
    path: '/clouds/:cloud/check',
    summary: 'Check a cloud again step by step, and say what works there',
    answer: CloudCheckSchema,
    needs: 'tenant',
  },
  signInToCloud: {
    method: 'PUT',
    path: '/clouds/:cloud/sign-in',
    summary: 'Sign in to a cloud with my own account there; it is tried, then kept in the vault',
    /** User name and secrets, by the names of the driver's options. */
    body: z.object({ options: OptionValuesSchema }),
    answer: CloudSchema,
    needs: 'person',
  },
  signOutOfCloud: {
    method: 'DELETE',
    path: '/clouds/:cloud/sign-in',
    summary: 'Forget what I signed in to a cloud with; refused while a job of mine uses it',
    answer: nothing,
    needs: 'person',
  },
  removeCloud: {
    method: 'DELETE',
    path: '/clouds/:cloud',
    summary: 'Forget a cloud; nothing in it is touched',
    answer: nothing,
    needs: 'tenant',
  },
} as const satisfies Record<string, ApiOperation>;
