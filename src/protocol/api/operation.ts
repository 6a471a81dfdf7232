import { z } from 'zod';
import type { Right } from '../../model/rights.ts';

/**
 * What somebody needs for an operation; `src/server/people/guard.ts` checks it before the handler runs. Every operation
 * says it: one that does not is not compiled.
 * - `nothing`: no session. `session`: to be signed in; the handler answers only what belongs to the account, or what it
 *   may see, by the `sight` that it is given. `person`: the same, and not by a token.
 * - `administrator`: of the installation. `tenant`: that, or an administrator of the account's tenant; the handler keeps to
 *   what `sight` has of it. Ids or names of the path's `:cloud` and `:node` mean what the account sees.
 * - `object`: this right for the object of the path's `:cloud` and `:object`.
 * - `cloud`: this right for something in the path's `:cloud`.
 * - `copy`: the rights for the copy that the body asks for: `copy-out` at the source, `copy-in` at the destination.
 * - `job`: `see` the path's `:job` (its source or destination, or having started it); `stop` it (having started it, or
 *   being allowed to do it again); `run` it (being allowed to start the same copy now); `undo` it (`delete` at its
 *   destination); `delete-source` (`delete` at its source).
 */
export type Need =
  | 'nothing'
  | 'session'
  | 'person'
  | 'administrator'
  | 'tenant'
  | { object: Right }
  | { cloud: Right }
  | { copy: 'body' }
  | { job: 'see' | 'stop' | 'run' | 'undo' | 'delete-source' };

export interface ApiOperation {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  summary: string;
  body?: z.ZodType;
  query?: z.ZodType;
  answer: z.ZodType;
  needs: Need;
  /**
   * Fields of the body that the audit log may show. Everything but a GET is logged, with the parameters of the path;
   * `false` for what only looks.
   */
  audit?: readonly string[] | false;
  /** With the header `Idempotency-Key` it is done once, and a repetition gets the same answer. */
  repeatable?: boolean;
  /** Media type of an answer that is a file: it streams, and is no part of the typed client. */
  download?: string;
}

export const nothing = z.object({});
