import type { ServerEvent } from '../protocol/api.ts';

/** What happened, told to every open page. Nothing is kept: who comes late reads everything anew. */
export interface Events {
  publish(event: ServerEvent): void;
  /** As `publish`, of what happened at another server on the same database. */
  hear(event: ServerEvent): void;
  /** @returns how to stop listening. */
  subscribe(listener: (event: ServerEvent) => void): () => void;
  /** Only what happened here. */
  subscribeOwn(listener: (event: ServerEvent) => void): () => void;
}

export function createEvents(): Events {
  const all = new Set<(event: ServerEvent) => void>();
  const own = new Set<(event: ServerEvent) => void>();
  const tell = (listeners: typeof all, event: ServerEvent) => {
    for (const listener of [...listeners]) listener(event);
  };
  const add = (listeners: typeof all) => (listener: (event: ServerEvent) => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    publish(event) {
      tell(all, event);
      tell(own, event);
    },
    hear: (event) => tell(all, event),
    subscribe: add(all),
    subscribeOwn: add(own),
  };
}
