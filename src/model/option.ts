/** One setting that a driver asks for: it becomes a flag of the CLI and a field in the UI. */
export interface OptionDescription {
  /** kebab-case; the name of the flag. */
  name: string;
  label: string;
  help: string;
  type: 'text' | 'secret' | 'url' | 'number' | 'switch' | 'choice' | 'object';
  required: boolean;
  default?: string;
  /** Of `choice`. */
  choices?: { value: string; label: string }[];
  /** Of `object`: kinds of inventory objects that can be chosen; the value is an id or a name. */
  kinds?: string[];
}

/** Values by option name. Switches are `true`/`false`, numbers decimal. */
export type OptionValues = Record<string, string>;

/** Why a certificate of a cloud is believed: a person confirmed its fingerprint, or gave the CA that signed it. */
export type Trust =
  | { kind: 'pin' /** SHA-256 of the certificate (DER), lower-case hex. */; sha256: string }
  | { kind: 'ca' /** PEM, one or more certificates. */; pem: string };

/** What a server showed in its TLS handshake; shown to a person before it is believed. */
export interface CertificateSeen {
  host: string;
  port: number;
  /** SHA-256 of the leaf (DER), lower-case hex without colons. */
  sha256: string;
  subject: string;
  issuer: string;
  validFrom: string;
  validTo: string;
  names: string[];
  /** Whether a CA that this machine trusts signed it for this name. */
  trustedBySystem: boolean;
  /** What was shown with it, from the issuer of the certificate upwards; nodes of 0.1.0 and older do not tell. */
  chain?: CertificateAbove[];
}

export interface CertificateAbove {
  subject: string;
  sha256: string;
  validTo: string;
}
