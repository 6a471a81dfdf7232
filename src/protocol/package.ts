/** A Cloudspan package on a disk: what stands in clear in front of it. `docs/package-format.md` describes the whole. */
import { z } from 'zod';
import { PackageDescriptionSchema } from './nouns.ts';

export const PACKAGE_FORMAT = 'cloudspan-package';
export const MANIFEST_FILE = 'manifest.json';
export const MANIFEST_BYTES = 64 * 1024;

const base64 = (bytes: number) => z.string().max(Math.ceil(bytes / 3) * 4 + 4);

export const SealedKeySchema = z.object({ ephemeral: base64(160), nonce: base64(12), wrapped: base64(48) });

/** A key of a package that was sealed for one node, and the public key (SPKI, base64) of the node that shall have it. */
export const HandPackageKeySchema = z.object({
  package: z.string().regex(/^[0-9a-f]{32}$/),
  sealed: SealedKeySchema,
  recipient: z.string().max(1024),
});

const PassphraseKeySchema = z.object({
  kind: z.literal('passphrase'),
  /** Parameters of scrypt, bounded so that a hostile package cannot ask for endless memory. */
  n: z
    .number()
    .int()
    .min(2 ** 14)
    .max(2 ** 20),
  r: z.literal(8),
  p: z.number().int().min(1).max(4),
  salt: base64(16),
  nonce: base64(12),
  wrapped: base64(48),
});

const NodeKeySchema = SealedKeySchema.extend({
  kind: z.literal('node'),
  /** Whose key opens it. */
  pin: z.string().regex(/^[0-9a-f]{64}$/),
});

/** `manifest.json`: no name and no size of what is inside. */
export const ManifestSchema = z.object({
  format: z.literal(PACKAGE_FORMAT),
  version: z.literal(1),
  /** 16 random bytes, hex. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  protection: z.enum(['plain', 'aes-256-gcm']),
  keys: z.array(z.discriminatedUnion('kind', [PassphraseKeySchema, NodeKeySchema])).max(16),
  /** Of the job that wrote it. */
  marker: z.string().max(64).optional(),
});
export type Manifest = z.infer<typeof ManifestSchema>;
export type PassphraseKey = z.infer<typeof PassphraseKeySchema>;

/** What the sealed part says, in front of the maps. */
export const ContentsSchema = z.object({
  name: z.string().max(4096),
  createdAt: z.string().max(64),
  /** ISO 8601 and the name of the program are for people; nothing depends on them. */
  writer: z.string().max(200),
  source: z.object({ job: z.string().max(200) }),
  description: PackageDescriptionSchema,
  disks: z
    .array(
      z.object({
        disk: z.string().max(4096),
        capacityBytes: z
          .number()
          .int()
          .min(0)
          .max(2 ** 50),
        /** Root of its map, hex. */
        root: z.string().regex(/^[0-9a-f]{64}$/),
        /** Entries of its map: blocks that are not zero. */
        blocks: z
          .number()
          .int()
          .min(0)
          .max(2 ** 30),
      }),
    )
    .max(10_000),
  /** Lengths of the segments, in order. */
  segments: z
    .array(
      z
        .number()
        .int()
        .min(0)
        .max(2 ** 32 - 1),
    )
    .max(2 ** 20),
});
export type Contents = z.infer<typeof ContentsSchema>;
