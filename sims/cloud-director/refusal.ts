/** What the simulator answers when it does not do what it was asked: an HTTP status and the vendor's `Error` body. */
export class Refusal extends Error {
  readonly status: number;
  readonly minorCode: string;
  readonly headers: Record<string, string>;

  constructor(status: number, minorCode: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
    this.minorCode = minorCode;
    this.headers = headers;
  }
}

/** Missing and invisible entities look the same to a caller: 403, never 404. */
export function forbidden(entity: string): Refusal {
  return new Refusal(
    403,
    'ACCESS_TO_RESOURCE_IS_FORBIDDEN',
    `Either you need some or all of the following rights or the entity "${entity}" does not exist.`,
  );
}

export function badRequest(message: string): Refusal {
  return new Refusal(400, 'BAD_REQUEST', message);
}

export function duplicateName(kind: string, name: string): Refusal {
  return new Refusal(400, 'DUPLICATE_NAME', `The ${kind} name "${name}" already exists; names must be unique here.`);
}

export function busyEntity(kind: string, name: string): Refusal {
  return new Refusal(400, 'BUSY_ENTITY', `The entity ${kind} "${name}" is busy, cannot proceed with the operation.`);
}

export function unauthorized(): Refusal {
  return new Refusal(401, 'UNAUTHORIZED', 'The session is not valid: log in again.');
}
