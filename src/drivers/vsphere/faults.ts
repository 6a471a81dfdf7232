import { Fault, type FaultOptions } from '../../model/fault.ts';
import type { FaultCode } from '../../model/fault-kinds.ts';
import { child, childrenOf, type Element, textOf } from './element.ts';

/** A fault of the API: the detail of a SOAP fault, the error of a task or of a lease. */
export class VimFault extends Error {
  /** Name of the vendor's type: `InvalidPowerState`. */
  readonly type: string;
  readonly detail: Element | undefined;

  constructor(type: string, message: string, detail: Element | undefined) {
    super(message);
    this.name = 'VimFault';
    this.type = type;
    this.detail = detail;
  }
}

/** Of a SOAP `Fault` element. */
export function faultOfAnswer(fault: Element): VimFault {
  const detail = child(fault, 'detail')?.children[0];
  const type = detail?.type ?? detail?.name.replace(/Fault$/, '') ?? 'unknown';
  return new VimFault(type, textOf(fault, 'faultstring') ?? type, detail);
}

/** Of a `LocalizedMethodFault` (TaskInfo.error, HttpNfcLease.error, OvfCreateImportSpecResult.error). */
export function faultOfMethod(localized: Element): VimFault {
  const detail = child(localized, 'fault') ?? localized;
  const type = detail.type ?? 'MethodFault';
  const messages = childrenOf(detail, 'faultMessage').map((message) => textOf(message, 'message'));
  const text = [textOf(localized, 'localizedMessage'), ...messages].filter((part) => part !== undefined && part !== '');
  return new VimFault(type, text.length === 0 ? type : text.join('; '), detail);
}

export function isVimFault(error: unknown, ...types: string[]): error is VimFault {
  return error instanceof VimFault && types.includes(error.type);
}

const CODES: Record<string, FaultCode> = {
  InvalidLogin: 'auth.refused',
  NoPermission: 'auth.forbidden',
  RestrictedVersion: 'auth.forbidden',
  NotAuthenticated: 'cloud.session',
  ManagedObjectNotFound: 'object.missing',
  NotFound: 'object.missing',
  DuplicateName: 'object.exists',
  AlreadyExists: 'object.exists',
  FileAlreadyExists: 'object.exists',
  TaskInProgress: 'object.busy',
  VAppTaskInProgress: 'object.busy',
  ConcurrentAccess: 'object.busy',
  ResourceInUse: 'object.in-use',
  InvalidName: 'input.invalid',
  InvalidFolder: 'object.wrong-kind',
  NotSupported: 'cloud.unsupported',
  NotImplemented: 'cloud.unsupported',
  MethodNotFound: 'cloud.unsupported',
  ToolsUnavailable: 'cloud.unsupported',
  VAppConfigFault: 'cloud.failed',
  HostNotConnected: 'cloud.unreachable',
};

/** Anything thrown as a Fault whose sentence begins with `who`; `what` names the act and its object. */
export function toFault(error: unknown, who: string, what: string, options: FaultOptions = {}): Fault {
  if (error instanceof Fault) return error;
  if (error instanceof VimFault) {
    const text = error.message.includes(error.type) ? error.message : `${error.message} (${error.type})`;
    return new Fault(CODES[error.type] ?? 'cloud.failed', `${who}: ${what}: ${text}`, { ...options, cause: error });
  }
  return Fault.from(error, `${who}: ${what}`);
}
