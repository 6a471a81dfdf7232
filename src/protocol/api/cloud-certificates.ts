/** The certificate that a cloud was confirmed with, and the one that it shows now. */
import { z } from 'zod';
import { CertificateSeenSchema, TrustSchema } from '../nouns.ts';
import { CloudSchema } from './clouds.ts';
import type { ApiOperation } from './operation.ts';

export const CloudCertificateSchema = z.object({
  trust: TrustSchema,
  /** What the confirmed fingerprint belongs to; absent where the cloud was never looked at since. */
  confirmed: CertificateSeenSchema.optional(),
  /** Absent where the driver uses none. */
  seen: CertificateSeenSchema.optional(),
  /** It shows another one than was confirmed: what has to do with this cloud waits. */
  changed: z.boolean(),
});
export type CloudCertificateView = z.infer<typeof CloudCertificateSchema>;

export const cloudCertificateOperations = {
  getCloudCertificate: {
    method: 'GET',
    path: '/clouds/:cloud/certificate',
    summary: 'The certificate that was confirmed, and the one that the cloud shows now',
    answer: CloudCertificateSchema,
    needs: 'tenant',
  },
  trustCloud: {
    method: 'POST',
    path: '/clouds/:cloud/trust',
    summary: 'Believe the certificate that the cloud shows now, or another CA; what waited for it goes on',
    body: z.object({ trust: TrustSchema }),
    answer: CloudSchema,
    needs: 'tenant',
    audit: ['trust'],
  },
} as const satisfies Record<string, ApiOperation>;
