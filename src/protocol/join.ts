/** How a node joins a server. */
import { z } from 'zod';

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
