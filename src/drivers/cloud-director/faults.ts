import { retryAfterSeconds } from '../../base/http.ts';
import { Fault } from '../../model/fault.ts';
import type { FaultCode } from '../../model/fault-kinds.ts';
import { child, parseXml, type XmlElement } from './xml.ts';

/** What Cloud Director says about a refused call or a failed task. */
export interface CloudError {
  /** Code of the `Error` element; usually the HTTP status. */
  major: number;
  /** `BUSY_ENTITY`, `DUPLICATE_NAME` …; empty when there was none. */
  minor: string;
  message: string;
}

/** The `Error` element of the legacy API. */
export function readErrorElement(element: XmlElement): CloudError {
  return {
    major: Number(element.attributes.majorErrorCode ?? 0),
    minor: element.attributes.minorErrorCode ?? '',
    message: plain(element.attributes.message ?? ''),
  };
}

/** An error body in either form: `Error` XML of `/api`, JSON of `/cloudapi`. Anything else gives an empty message. */
export function readErrorBody(status: number, contentType: string, text: string): CloudError {
  const none = { major: status, minor: '', message: '' };
  try {
    if (/json/i.test(contentType)) {
      const json = JSON.parse(text) as Record<string, unknown>;
      const minor = typeof json.minorErrorCode === 'string' ? json.minorErrorCode : '';
      const message = json.message ?? json.error_description ?? json.error;
      return { major: status, minor, message: typeof message === 'string' ? plain(message) : '' };
    }
    if (/xml/i.test(contentType)) {
      const root = parseXml(text, 'error');
      const error = root.name === 'Error' ? root : child(root, 'Error');
      return error === undefined ? none : readErrorElement(error);
    }
  } catch {
    return none;
  }
  return none;
}

/** Without the request id that Cloud Director puts in front: `[ 1f2… ] The entity …`. */
function plain(message: string): string {
  return message
    .replace(/^\s*\[[^\]]*\]\s*/, '')
    .trim()
    .slice(0, 2000);
}

export interface RefusedCall {
  /** `cloud-director org1-cloud`. */
  who: string;
  /** What was attempted, for the sentence: `read vApp "web"`. */
  what: string;
  method: string;
  status: number;
  headers: Record<string, string>;
  error: CloudError;
}

/** The fault for an answer that is no success. */
export function faultOfAnswer(call: RefusedCall): Fault {
  const { who, what, status, error } = call;
  const said = error.message === '' ? `HTTP ${status}` : error.message;
  const sentence = `${who}: ${what}: ${said}`;
  const details = { status, ...(error.minor === '' ? {} : { minorErrorCode: error.minor }) };
  if (status === 429 || status === 503) {
    return new Fault('cloud.busy', `${who}: ${what}: the cloud asked to wait`, {
      retryAfterSeconds: retryAfterSeconds(call.headers, 10),
      details,
    });
  }
  if (status === 401) return new Fault('cloud.session', `${who}: ${what}: the session ended`, { details });
  if (status === 406) {
    return new Fault('cloud.unsupported', `${sentence} (the API version that was agreed on is not served here)`, {
      details,
    });
  }
  const code = codeOfMinor(error);
  if (code !== undefined) return new Fault(code, sentence, { details });
  if (status === 403 || status === 404) {
    if (call.method === 'GET' || call.method === 'DELETE' || status === 404) {
      return new Fault('object.missing', sentence, {
        details,
        remedy:
          'List the parent to see what there is; Cloud Director says the same for objects that are hidden from the account.',
      });
    }
    return new Fault('auth.forbidden', sentence, { details });
  }
  if (status === 502 || status === 504) return new Fault('cloud.unreachable', sentence, { details });
  return new Fault('cloud.failed', sentence, { details });
}

/** The fault for a task that ended in `error`, `canceled` or `aborted`. */
export function faultOfTask(who: string, what: string, state: string, error: CloudError | undefined): Fault {
  const said = error === undefined || error.message === '' ? `the task was ${state}` : error.message;
  const details = {
    ...(error === undefined ? {} : { majorErrorCode: error.major }),
    ...(error === undefined || error.minor === '' ? {} : { minorErrorCode: error.minor }),
  };
  const code = error === undefined ? undefined : codeOfMinor(error);
  return new Fault(code ?? 'cloud.failed', `${who}: ${what}: ${said}`, { details });
}

function codeOfMinor({ minor, message }: CloudError): FaultCode | undefined {
  if (minor === 'BUSY_ENTITY' || /is busy, cannot proceed with the operation/i.test(message)) return 'object.busy';
  if (minor === 'DUPLICATE_NAME') return 'object.exists';
  if (minor === 'EULA_NOT_ACCEPTED') return 'eula.required';
  if (minor === 'NOT_FOUND' || minor === 'RESOURCE_NOT_FOUND') return 'object.missing';
  return undefined;
}
