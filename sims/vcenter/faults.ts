import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isA } from './schema/types.ts';
import { VimFault } from './vim-fault.ts';

/**
 * One fault rule. It matches calls by `method` (a vim25 method such as `RetrievePropertiesEx`), by `path` (beginning of an HTTP path,
 * such as `/nfc` or `/folder`) or by `task` (a description id such as `VirtualMachine.powerOn`), counts them, and acts on the n-th:
 * from `nth` (1 is the next one) for `times` calls (0: for ever).
 *
 * - `fail` answers a SOAP fault of the given type (a task ends with it); on a path, HTTP 500
 * - `status` answers that HTTP status, with Retry-After when `retryAfterSeconds` is given
 * - `delay` waits before the call is served
 * - `cut` closes the connection: before the answer, or after `afterBytes` of a transfer's body
 * - `expire-sessions` forgets every session, then serves the call
 * - `end-leases` ends every open lease with an error before the call is served
 * - `die` ends the process at once, as SIGKILL does
 */
const faultRule = z
  .strictObject({
    method: z.string().optional(),
    path: z.string().optional(),
    task: z.string().optional(),
    nth: z.int().min(1).default(1),
    times: z.int().min(0).default(1),
    action: z.enum(['fail', 'status', 'delay', 'cut', 'expire-sessions', 'end-leases', 'die']),
    /** Type of a vim25 fault. */
    fault: z
      .string()
      .refine((type) => isA(type, 'MethodFault'), 'is no vim25 fault')
      .default('SystemError'),
    message: z.string().default('A fault rule of the lab says so.'),
    status: z.int().min(400).max(599).default(503),
    retryAfterSeconds: z.int().min(0).optional(),
    delayMilliseconds: z.int().min(0).default(1000),
    afterBytes: z.int().min(0).optional(),
    /** After the work is done but before the answer is sent; for `cut` and `die`. */
    after: z.boolean().default(false),
  })
  .refine((rule) => [rule.method, rule.path, rule.task].filter((one) => one !== undefined).length === 1, {
    message: 'give exactly one of method, path, task',
  });

/**
 * The whole set, as a file or as the body of `POST /lab/faults`, which replaces the set before it.
 * `bytesPerSecond` slows the bodies of transfers, of all connections of a listener each for itself.
 * `refusePowerOn` names machines (or `*`) whose power-on ends in an error.
 */
export const faultSet = z.strictObject({
  rules: z.array(faultRule).default([]),
  bytesPerSecond: z.strictObject({ vcenter: z.int().min(1).optional(), host: z.int().min(1).optional() }).default({}),
  refusePowerOn: z.array(z.string()).default([]),
});

export type FaultRule = z.infer<typeof faultRule>;
export type FaultSet = z.input<typeof faultSet>;

export type Wire = { cut: boolean; status?: number; retryAfterSeconds?: number };

type Counted = { rule: FaultRule; seen: number };

/** The rules in force and how often each has matched. */
export class FaultRules {
  #set = faultSet.parse({});
  #rules: Counted[] = [];
  #cuts = new Map<string, number>();
  onExpire: () => void = () => undefined;
  onEndLeases: () => Promise<void> = async () => undefined;

  replace(input: FaultSet): void {
    this.#set = faultSet.parse(input);
    this.#rules = this.#set.rules.map((rule) => ({ rule, seen: 0 }));
    this.#cuts.clear();
  }

  get state(): { rule: FaultRule; seen: number }[] {
    return this.#rules.map(({ rule, seen }) => ({ rule, seen }));
  }

  bytesPerSecond(listener: 'vcenter' | 'host'): number | undefined {
    return this.#set.bytesPerSecond[listener];
  }

  refusesPowerOn(name: string): boolean {
    return this.#set.refusePowerOn.some((one) => one === '*' || one === name);
  }

  /** Bytes after which the transfer that begins now is cut. */
  takeCut(listener: string): number | undefined {
    const found = this.#cuts.get(listener);
    this.#cuts.delete(listener);
    return found;
  }

  #due(matches: (rule: FaultRule) => boolean): FaultRule[] {
    const due: FaultRule[] = [];
    for (const counted of this.#rules) {
      if (!matches(counted.rule)) continue;
      counted.seen++;
      const { nth, times } = counted.rule;
      if (counted.seen >= nth && (times === 0 || counted.seen < nth + times)) due.push(counted.rule);
    }
    return due;
  }

  async #act(rule: FaultRule): Promise<void> {
    if (rule.action === 'delay') await sleep(rule.delayMilliseconds);
    else if (rule.action === 'expire-sessions') this.onExpire();
    else if (rule.action === 'end-leases') await this.onEndLeases();
    else if (rule.action === 'die') process.kill(process.pid, 'SIGKILL');
    else if (rule.action === 'fail') throw new VimFault(rule.fault, rule.message);
  }

  /** Before an HTTP request is served. Gives what to do on the wire instead of serving it. */
  async request(path: string, listener: 'vcenter' | 'host'): Promise<Wire | undefined> {
    for (const rule of this.#due((one) => one.path !== undefined && path.startsWith(one.path))) {
      if (rule.action === 'cut' && rule.afterBytes !== undefined) this.#cuts.set(listener, rule.afterBytes);
      else if (rule.action === 'cut') return { cut: true };
      else if (rule.action === 'fail') return { cut: false, status: 500 };
      else if (rule.action === 'status') return wire(rule);
      else await this.#act(rule);
    }
    return undefined;
  }

  /** Before a vim25 method is called; throws what it is to answer. The result says what to do once it has been called. */
  async method(name: string): Promise<{ now?: Wire; after?: FaultRule }> {
    let after: FaultRule | undefined;
    for (const rule of this.#due((one) => one.method === name)) {
      if (rule.after) after = rule;
      else if (rule.action === 'cut') return { now: { cut: true } };
      else if (rule.action === 'status') return { now: wire(rule) };
      else await this.#act(rule);
    }
    return after ? { after } : {};
  }

  async finish(rule: FaultRule): Promise<Wire | undefined> {
    if (rule.action === 'cut') return { cut: true };
    if (rule.action === 'status') return wire(rule);
    await this.#act(rule);
    return undefined;
  }

  /** Before the work of a task begins. */
  async task(description: string): Promise<void> {
    for (const rule of this.#due((one) => one.task === description)) await this.#act(rule);
  }
}

function wire(rule: FaultRule): Wire {
  return {
    cut: false,
    status: rule.status,
    ...(rule.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: rule.retryAfterSeconds }),
  };
}
