import { type FaultCode, faultKinds, type Retry } from './fault-kinds.ts';

/** A fault as it travels: over the API, the link and in journals. Holds no secret and no stack. */
export interface FaultReport {
  code: FaultCode;
  /** One plain sentence: who, what, where. */
  message: string;
  /** What to do. */
  remedy: string;
  retry: Retry;
  /** Seconds that the other side asked us to wait, where it did. */
  retryAfterSeconds?: number;
  /** Names and ids that help (ids of an ambiguous path, the fingerprint that was seen). Never secrets. */
  details?: Record<string, string | number | boolean | string[]>;
}

export interface FaultOptions {
  cause?: unknown;
  remedy?: string;
  retry?: Retry;
  retryAfterSeconds?: number;
  details?: FaultReport['details'];
}

/** The one error class. `message` names who, what and where: `vsphere vc1: disk 2 of "web-01": the lease expired`. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly remedy: string;
  readonly retry: Retry;
  readonly retryAfterSeconds: number | undefined;
  readonly details: FaultReport['details'];

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.code = code;
    this.remedy = options.remedy ?? faultKinds[code].remedy;
    this.retry = options.retry ?? faultKinds[code].retry;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.details = options.details;
  }

  get status(): number {
    return faultKinds[this.code].status;
  }

  report(): FaultReport {
    return {
      code: this.code,
      message: this.message,
      remedy: this.remedy,
      retry: this.retry,
      ...(this.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: this.retryAfterSeconds }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  static fromReport(report: FaultReport): Fault {
    return new Fault(report.code in faultKinds ? report.code : 'internal', report.message, report);
  }

  /** Any thrown value as a fault; what is not one already becomes `internal` with `what` as the start of its sentence. */
  static from(error: unknown, what: string): Fault {
    if (error instanceof Fault) return error;
    const text = error instanceof Error ? error.message : String(error);
    return new Fault('internal', `${what}: ${text}`, { cause: error });
  }
}
