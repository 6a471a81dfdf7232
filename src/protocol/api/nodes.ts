/** Nodes as clients see them. */
import { z } from 'zod';
import { LimitSchema, OptionDescriptionSchema, StorageSchema } from '../nouns.ts';
import { HandPackageKeySchema, SealedKeySchema } from '../package.ts';
import { NodesCheckSchema } from '../reach.ts';
import { type ApiOperation, nothing } from './operation.ts';

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
  /** Id of the tenant whose it is; absent: of the installation itself. */
  tenant: z.string().optional(),
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
  /** Id or name of the tenant that the node shall belong to; by an administrator of the installation only. */
  tenant: z.string().optional(),
});
export const TokenAnswerSchema = z.object({ token: z.string(), expires: z.string() });

export const LimitRequestSchema = z.object({
  /** Id or name of another node: the limit is for what goes between the two. */
  to: z.string().optional(),
  /** Null takes the limit away. Windows without a time zone are by the clock of the node that is named in the path. */
  limit: LimitSchema.nullable(),
});

export const nodesOperations = {
  eraseNode: {
    method: 'POST',
    path: '/nodes/:node/erase',
    summary: 'Erase what the transfer storage of a node holds for this server: forget its key, then free the space',
    answer: nothing,
    needs: 'tenant',
  },
  listNodes: {
    method: 'GET',
    path: '/nodes',
    summary: 'Nodes: all for an administrator, else those next to the clouds that are seen',
    answer: z.object({ nodes: z.array(NodeSchema) }),
    needs: 'session',
  },
  createJoinToken: {
    method: 'POST',
    path: '/nodes/tokens',
    summary: 'A token to join one node',
    body: TokenRequestSchema,
    answer: TokenAnswerSchema,
    needs: 'tenant',
    audit: ['address', 'tenant'],
  },
  handPackageKey: {
    method: 'POST',
    path: '/nodes/:node/package-key',
    summary: 'Have a node hand the key of a package that was written for it to another node',
    body: HandPackageKeySchema,
    answer: SealedKeySchema,
    needs: 'tenant',
    audit: ['package'],
  },
  setLimit: {
    method: 'PUT',
    path: '/nodes/:node/limit',
    summary: 'Limit how fast a node, or a pair of nodes, moves data; running transfers follow at once',
    body: LimitRequestSchema,
    answer: NodeSchema,
    needs: 'tenant',
    audit: ['to', 'limit'],
  },
  checkNodes: {
    method: 'POST',
    path: '/nodes/check',
    summary: 'Try every way between two nodes and say what blocks',
    /** Ids or names. */
    body: z.object({ source: z.string(), destination: z.string() }),
    answer: NodesCheckSchema,
    needs: 'tenant',
    audit: false,
  },
  removeNode: {
    method: 'DELETE',
    path: '/nodes/:node',
    summary: 'Forget a node',
    answer: nothing,
    needs: 'tenant',
  },
} as const satisfies Record<string, ApiOperation>;
