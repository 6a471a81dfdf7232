/** What a person compares. */
export interface CertificateKnown {
  sha256: string;
  subject?: string;
  issuer?: string;
  validFrom?: string;
  validTo?: string;
}

/** Only the fingerprint where nothing else is known. */
export function certificateText(
  title: string,
  { sha256, subject, issuer, validFrom, validTo }: CertificateKnown,
): string {
  const lines = [
    ...(subject === undefined ? [] : [`  subject  ${subject}`]),
    ...(issuer === undefined ? [] : [`  issuer   ${issuer}`]),
    ...(validTo === undefined ? [] : [`  valid    ${validFrom ?? '?'} to ${validTo}`]),
    `  SHA-256  ${colons(sha256)}`,
  ];
  return `${title}:\n${lines.join('\n')}\n`;
}

export const colons = (sha256: string) => sha256.replace(/..(?=.)/g, '$&:');
