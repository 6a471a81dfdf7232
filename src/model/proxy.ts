/** An HTTP proxy that opens ways with CONNECT. */
export interface HttpProxy {
  readonly host: string;
  readonly port: number;
  /** `user:password`; never printed. */
  readonly credentials?: string;
}

/** Which proxy leads to a target; null: straight. */
export type Way = (target: { host: string; port: number }) => HttpProxy | null;
