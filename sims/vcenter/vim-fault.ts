import type { Data } from './value.ts';

/** A fault of the vim25 API: answered as a SOAP fault, or kept as the error of a task or lease. */
export class VimFault extends Error {
  readonly type: string;
  readonly detail: Data;

  constructor(type: string, message: string, detail: Data = {}) {
    super(message);
    this.name = 'VimFault';
    this.type = type;
    this.detail = detail;
  }

  /** As a `MethodFault` data object. */
  get data(): Data {
    return { ...this.detail, _type: this.type };
  }

  /** As the `LocalizedMethodFault` of a task, a lease or a result. */
  get localized(): Data {
    return { fault: this.data, localizedMessage: this.message };
  }
}

/** Any error as a fault: what is not one already becomes a `SystemError`. */
export function asVimFault(error: unknown): VimFault {
  if (error instanceof VimFault) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new VimFault('SystemError', `A general system error occurred: ${reason}`, { reason });
}

export function invalidArgument(name: string, why = ''): VimFault {
  return new VimFault('InvalidArgument', `A specified parameter was not correct: ${name}${why && ` (${why})`}`, {
    invalidProperty: name,
  });
}

export function invalidRequest(message: string): VimFault {
  return new VimFault('InvalidRequest', message);
}

export function notFound(type: string, id: string): VimFault {
  return new VimFault(
    'ManagedObjectNotFound',
    `The object 'vim.${type}:${id}' has already been deleted or has not been completely created`,
    {
      obj: { _ref: type, id },
    },
  );
}
