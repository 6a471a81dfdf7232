/** The certificate of API and UI. Nodes do not look at it: to them the server is its key. */
import { z } from 'zod';
import type { ApiOperation } from './operation.ts';

const host = /^(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*$/;
const name = z.union([z.string().max(253).regex(host), z.ipv6()]);

const one = {
  subject: z.string(),
  issuer: z.string(),
  validFrom: z.string(),
  validTo: z.string(),
  /** Hex. */
  sha256: z.string(),
};

export const CertificateSchema = z.object({
  ...one,
  /** As in the certificate: `DNS:cs.example`, `IP Address:192.0.2.1`. */
  names: z.array(z.string()),
  source: z.enum(['self-signed', 'uploaded']),
  /** Those that are sent with it, in their order. */
  issuers: z.array(z.object(one)),
  /** Whether the chain ends at a root that the server's machine knows, or it is self-signed. */
  complete: z.boolean(),
  /** The issuer that is not known, where it is not. */
  missing: z.string().optional(),
  /** PEM of the request that is open; its key is on the server. */
  request: z.string().optional(),
});
export type CertificateView = z.infer<typeof CertificateSchema>;

export const UploadCertificateSchema = z.object({
  /** Certificates in any order, with the key or without: then it is the last request's, or the one in use. */
  pem: z.string().max(200_000).optional(),
  /** Base64. */
  pkcs12: z.string().max(200_000).optional(),
  /** Of the PKCS#12 file, or of an encrypted key. */
  password: z.string().max(1024).optional(),
  /** How people reach the server: the certificate has to be for all of them. Absent: as this request reached it. */
  names: z.array(name).max(100).optional(),
});
export type UploadCertificate = z.output<typeof UploadCertificateSchema>;

export const certificateOperations = {
  getCertificate: {
    method: 'GET',
    path: '/certificate',
    summary: 'The certificate of API and UI',
    answer: CertificateSchema,
    needs: 'administrator',
  },
  requestCertificate: {
    method: 'POST',
    path: '/certificate/request',
    summary: 'A certificate signing request around a new key, which stays on the server',
    body: z.object({ names: z.array(name).min(1).max(100), keyType: z.enum(['ec', 'rsa']).default('ec') }),
    answer: z.object({ request: z.string() }),
    needs: 'administrator',
    audit: ['names', 'keyType'],
  },
  uploadCertificate: {
    method: 'PUT',
    path: '/certificate',
    summary:
      'Replace the certificate, at once and without a restart; refused with the reason where something does not fit',
    body: UploadCertificateSchema,
    answer: CertificateSchema,
    needs: 'administrator',
    audit: ['names'],
  },
} as const satisfies Record<string, ApiOperation>;
