import type { Identity } from '../../base/identity.ts';
import { Fault } from '../../model/fault.ts';
import type { Handlers } from '../api.ts';
import { signReceipt } from '../receipts.ts';
import type { Works } from '../work/works.ts';

type WorkHandlers = Pick<Handlers, 'startWork' | 'getWork' | 'cancelWork' | 'keepWork' | 'forgetWork' | 'signReceipt'>;

export function workRoutes(works: Works, identity: Identity): WorkHandlers {
  const id = (parameters: Record<string, string>) => parameters.work ?? '';
  return {
    startWork: async ({ server, parameters, body }) => works.start(server, id(parameters), body),
    getWork: ({ server, parameters, query, signal }) => {
      const known = {
        revision: number(query, 'revision', -1),
        log: number(query, 'log', -1),
        seconds: number(query, 'seconds', 0),
      };
      return works.poll(server, id(parameters), known, signal);
    },
    cancelWork: async ({ server, parameters, body }) => works.cancel(server, id(parameters), body.epoch, body.paused),
    keepWork: async ({ server, parameters, body }) => works.keep(server, id(parameters), body.epoch),
    async forgetWork({ server, parameters }) {
      await works.forget(server, id(parameters));
      return {};
    },
    async signReceipt({ server, parameters, body }) {
      const work = works.get(server, id(parameters));
      works.admit(work, body.epoch);
      return signReceipt(identity, work, body.receipt);
    },
  };
}

function number(query: Record<string, string>, name: string, fallback: number): number {
  const text = query[name];
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) throw new Fault('input.invalid', `${name} is not a number: "${text}"`);
  return value;
}
