import { z } from 'zod';

const callAction = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('fail'),
    status: z.number().int().min(300).max(599),
    code: z.string().default('INTERNAL_SERVER_ERROR'),
    message: z.string().default('The lab was told to fail this call.'),
    /** Seconds for the `Retry-After` header. */
    retryAfter: z.number().int().min(0).optional(),
  }),
  /** Waits before anything is done, or after the work with the answer held back. */
  z.object({
    kind: z.literal('delay'),
    milliseconds: z.number().int().min(0),
    when: z.enum(['before', 'after']).default('before'),
  }),
  /**
   * Reads the body of a call that has one, and serves it so much later, whether or not the caller still waits: a create
   * that its job has given up is carried out all the same.
   */
  z.object({ kind: z.literal('late'), milliseconds: z.number().int().min(0) }),
  /** Resets the connection after so many bytes of the request's body (uploads) or of the answer's body (downloads). */
  z.object({ kind: z.literal('cut'), afterBytes: z.number().int().min(0).default(0) }),
  /** Ends every session before the call is looked at, so that it and all later ones get 401. */
  z.object({ kind: z.literal('expire-sessions') }),
  z.object({ kind: z.literal('slow'), bytesPerSecond: z.number().int().min(1) }),
  /** The process exits hard: before anything is done, or after the work with the answer not sent. */
  z.object({ kind: z.literal('die'), when: z.enum(['before', 'after']).default('before') }),
]);

const counting = {
  /** Which matching call is hit first, counted from 1 since the rule was set. */
  nth: z.number().int().min(1).default(1),
  /** How many matching calls in a row are hit from there; 0 = all of them. */
  times: z.number().int().min(0).default(1),
};

const callRule = z.object({
  on: z.literal('call').default('call'),
  method: z.string().toUpperCase().optional(),
  /** Matches the decoded path without the query; `*` stands for any characters. */
  path: z.string().default('*'),
  ...counting,
  action: callAction,
});

const taskRule = z.object({
  on: z.literal('task'),
  /** Operation name such as `vdcUploadOvfContents`; `*` stands for any characters. */
  operation: z.string().default('*'),
  ...counting,
  action: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('fail'),
      code: z.string().default('INTERNAL_SERVER_ERROR'),
      message: z.string().default('The lab was told to fail this task.'),
    }),
    z.object({ kind: z.literal('delay'), milliseconds: z.number().int().min(0) }),
    z.object({ kind: z.literal('die') }),
  ]),
});

/**
 * What the lab shall do wrong: `{ "rules": [ … ] }`, given by `--faults FILE` or `POST /lab/faults` (which replaces all
 * rules and starts their counters again). Rules are looked at in order; every rule that matches counts the call, and
 * all that are due act.
 */
const faultFile = z.object({ rules: z.array(z.union([taskRule, callRule])) });
type FaultFile = z.infer<typeof faultFile>;
export type CallAction = z.infer<typeof callAction>;
type Rule = FaultFile['rules'][number];
type TaskAction = Extract<Rule, { on: 'task' }>['action'];

export class Faults {
  #rules: { rule: Rule; seen: number }[] = [];

  /** Throws a zod error when the rules are not valid. */
  set(rules: unknown): void {
    this.#rules = faultFile.parse(rules).rules.map((rule) => ({ rule, seen: 0 }));
  }

  list(): { rule: Rule; seen: number }[] {
    return this.#rules;
  }

  /** Counts the call and says what is due for it. */
  ofCall(method: string, path: string): CallAction[] {
    return this.#due((rule) =>
      rule.on === 'call' && (rule.method === undefined || rule.method === method) && matches(rule.path, path)
        ? rule.action
        : undefined,
    );
  }

  ofTask(operation: string): TaskAction[] {
    return this.#due((rule) => (rule.on === 'task' && matches(rule.operation, operation) ? rule.action : undefined));
  }

  #due<T>(pick: (rule: Rule) => T | undefined): T[] {
    const due: T[] = [];
    for (const entry of this.#rules) {
      const action = pick(entry.rule);
      if (action === undefined) continue;
      entry.seen += 1;
      const { nth, times } = entry.rule;
      if (entry.seen >= nth && (times === 0 || entry.seen < nth + times)) due.push(action);
    }
    return due;
  }
}

function matches(pattern: string, text: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`).test(text);
}
