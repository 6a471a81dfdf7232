import type { ServerEvent } from '../protocol/api.ts';

/** What happened, told to every open page. Nothing is kept: who comes late reads everything anew. */
export interface Events {
  publish(event: ServerEvent): void;
  /** @returns how to stop listening. */
  subscribe(listener: (event: ServerEvent) => void): () => void;
}

export function createEvents(): Events {
  const listeners = new Set<(event: ServerEvent) => void>();
  return {
    publish(event) {
      for (const listener of [...listeners]) listener(event);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
