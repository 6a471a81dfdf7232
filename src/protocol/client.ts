/** The typed client of the public API. It knows no sockets: a `Transport` carries it, in the browser, the CLI or yours. */
import type { z } from 'zod';
import { Fault, type FaultReport } from '../model/fault.ts';
import { API_PREFIX, type ApiOperationName, type ApiOperations, apiOperations } from './api.ts';

export interface TransportRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path with query, beginning with API_PREFIX. */
  path: string;
  /** JSON text. */
  body?: string;
  signal?: AbortSignal;
}

export type Transport = (request: TransportRequest) => Promise<{ status: number; text: string }>;

type ParameterName<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParameterName<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

type Part<Operation, Key extends 'body' | 'query'> = Operation extends { [K in Key]: infer Schema extends z.ZodType }
  ? { [K in Key]: z.input<Schema> }
  : unknown;

/** Path parameters by name, plus `body` and `query` where the operation has them. */
export type Input<Name extends ApiOperationName> = {
  [P in ParameterName<ApiOperations[Name]['path']>]: string;
} & Part<ApiOperations[Name], 'body'> &
  Part<ApiOperations[Name], 'query'>;

export type Answer<Name extends ApiOperationName> = z.output<ApiOperations[Name]['answer']>;

export type DownloadName = {
  [Name in ApiOperationName]: ApiOperations[Name] extends { download: string } ? Name : never;
}[ApiOperationName];

export type Client = {
  /** Faults of the server arrive as `Fault`; answers are checked against the schema. */
  [Name in ApiOperationName as ApiOperations[Name] extends { download: string } ? never : Name]: (
    input: Input<Name>,
    signal?: AbortSignal,
  ) => Promise<Answer<Name>>;
};

export function createClient(send: Transport): Client {
  const asked = Object.entries(apiOperations).filter(([, operation]) => !('download' in operation));
  const entries = asked.map(([name, operation]) => {
    const call = async (input: Record<string, unknown>, signal?: AbortSignal) => {
      const path = operation.path.replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(String(input[key])));
      const query = new URLSearchParams(definedOnly(input.query)).toString();
      const answer = await send({
        method: operation.method,
        path: `${API_PREFIX}${path}${query === '' ? '' : `?${query}`}`,
        ...('body' in operation ? { body: JSON.stringify(input.body) } : {}),
        ...(signal === undefined ? {} : { signal }),
      });
      const json: unknown = answer.text === '' ? {} : parse(answer.text, name);
      if (answer.status >= 400) throw faultOf(json, answer.status, name);
      return operation.answer.parse(json);
    };
    return [name, call];
  });
  return Object.fromEntries(entries) as unknown as Client;
}

function definedOnly(query: unknown): Record<string, string> {
  const pairs = Object.entries((query ?? {}) as Record<string, unknown>).filter(([, value]) => value !== undefined);
  return Object.fromEntries(pairs.map(([key, value]) => [key, String(value)]));
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Fault('internal', `${name}: the server answered something that is not JSON`, { cause: error });
  }
}

/** Path of an operation that answers with a file. */
export function downloadPath(name: DownloadName): string {
  return `${API_PREFIX}${apiOperations[name].path}`;
}

/** The fault in an answer whose status says that there is one. */
export function readFault(text: string, status: number, name: string): Fault {
  return faultOf(parse(text, name), status, name);
}

function faultOf(json: unknown, status: number, name: string): Fault {
  const report = json as Partial<FaultReport> | null;
  if (typeof report?.code === 'string' && typeof report.message === 'string')
    return Fault.fromReport(report as FaultReport);
  return new Fault('internal', `${name}: the server answered with status ${status}`);
}
