import type { Lab } from './lab.ts';
import type { Session } from './session-manager.ts';
import type { Written } from './soap/envelope.ts';
import type { Data, Value } from './value.ts';

/** One call by a client. */
export type Invocation = {
  lab: Lab;
  session: Session | undefined;
  signal: AbortSignal;
  /** Address the client reached the server under, `host:port`. */
  authority: string;
  peer: string;
  userAgent: string;
  /** Headers for the answer, such as the session cookie. */
  headers: Record<string, string>;
};

export type Result = Value | Written | undefined;
export type Method<T> = (call: Invocation, object: T, args: Data) => Result | Promise<Result>;
export type Reader<T> = (lab: Lab, object: T) => Value;

/** A managed object as calls and the PropertyCollector see it. */
export type Managed = {
  type: string;
  id: string;
  read(property: string): Value;
  call(method: string): ((call: Invocation, args: Data) => Result | Promise<Result>) | undefined;
};

/** How objects of one vim25 type are found, read and called. */
export type Kind = { type: string; open(lab: Lab, id: string): Managed | undefined };

export function kind<T>(
  type: string,
  find: (lab: Lab, id: string) => T | undefined,
  readers: Record<string, Reader<T>>,
  methods: Record<string, Method<T>> = {},
): Kind {
  return {
    type,
    open(lab, id) {
      const object = find(lab, id);
      if (object === undefined) return undefined;
      return {
        type,
        id,
        read: (property) => readers[property]?.(lab, object),
        call: (name) => {
          const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
          return method && ((call, args) => method(call, object, args));
        },
      };
    },
  };
}

/** A manager there is one of, under a fixed id. */
export function singleton(
  type: string,
  id: string,
  readers: Record<string, (lab: Lab) => Value>,
  methods: Record<string, (call: Invocation, args: Data) => Result | Promise<Result>> = {},
): Kind {
  const wrapped = Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [
      name,
      (call: Invocation, _self: true, args: Data) => method(call, args),
    ]),
  );
  return kind<true>(type, (_lab, wanted) => (wanted === id ? true : undefined), readers, wrapped);
}
