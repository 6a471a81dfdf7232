/** How far the proof reaches; see DESIGN.md. */
export type ReceiptLevel = 'sent' | 'checksum' | 'readback';

export interface DiskReceipt {
  disk: string;
  label: string;
  capacityBytes: number;
  sourceRoot: string;
  destinationRoot: string;
  level: ReceiptLevel;
  /** Where `level` is `checksum`: algorithm and value that the cloud gave. */
  checksum?: string;
}

interface ReceiptNode {
  pin: string;
  name: string;
  version: string;
}

export interface Receipt {
  version: 1;
  job: string;
  transfer: string;
  source: { cloud: string; object: string; name: string; version: string };
  destination: { cloud: string; object: string; name: string };
  startedAt: string;
  endedAt: string;
  /** Who read and who wrote, with the versions of their software. Receipts of before 0.2 have it not. */
  nodes?: { source: ReceiptNode; destination: ReceiptNode };
  disks: DiskReceipt[];
  /** One root over all disks: SHA-256 over the disk roots in package order. */
  sourceRoot: string;
  destinationRoot: string;
  /** By node pin: ECDSA P-256 SHA-256 over the canonical JSON of the receipt without `signatures` and `keys`, base64. */
  signatures: Record<string, string>;
  /** By node pin: the public key (SPKI, DER, base64), whose SHA-256 the pin is. Receipts of before 0.2 have none. */
  keys?: Record<string, string>;
}
