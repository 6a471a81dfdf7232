import type { CertificateSeen } from '../../model/option.ts';
import type { Database } from './database.ts';

export interface CloudCertificate {
  cloud: string;
  /** What the cloud showed when it was pinned; null until it has been looked at once since. */
  confirmed: CertificateSeen | null;
  /** What it showed last. */
  seen: CertificateSeen | null;
}

export async function readCloudCertificates({ query }: Pick<Database, 'query'>): Promise<CloudCertificate[]> {
  return query<CloudCertificate>('SELECT cloud, confirmed, seen FROM cloud_certificates');
}

/** @param confirmed Null keeps what is known. */
export async function writeCloudCertificate(
  { query }: Pick<Database, 'query'>,
  cloud: string,
  seen: CertificateSeen,
  confirmed: CertificateSeen | null,
): Promise<void> {
  await query(
    `INSERT INTO cloud_certificates (cloud, seen, confirmed) SELECT id, $2, $3 FROM clouds WHERE id = $1
     ON CONFLICT (cloud) DO UPDATE SET seen = $2, confirmed = coalesce($3, cloud_certificates.confirmed)`,
    [cloud, seen, confirmed],
  );
}
