import { Fault } from '../model/fault.ts';
import { API_PREFIX, CSRF_HEADER, type ServerEvent, ServerEventSchema } from '../protocol/api.ts';
import { createClient } from '../protocol/client.ts';

const AGAIN_MILLISECONDS = 1_500;
const HIDDEN_MILLISECONDS = 10_000;

/** The API from the browser: the session is a cookie, so writes carry the header that a foreign page cannot set. */
export const api = createClient(async (request) => {
  const answer = await fetch(request.path, {
    method: request.method,
    headers: {
      accept: 'application/json',
      [CSRF_HEADER]: '1',
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(request.body === undefined ? {} : { body: request.body }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  }).catch((error: unknown) => {
    request.signal?.throwIfAborted();
    throw new Fault('server.unavailable', 'The server does not answer', { cause: error });
  });
  return { status: answer.status, text: await answer.text() };
});

/**
 * Live events until `stop`; comes back by itself, and `onState(true)` says when to read everything anew. A page that
 * nobody sees lets go of the stream: browsers open few connections to one server, and all tabs share them.
 */
export function listen(onEvent: (event: ServerEvent) => void, onState: (open: boolean) => void): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    source = new EventSource(`${API_PREFIX}/events`);
    source.onopen = () => onState(true);
    source.onerror = () => {
      onState(false);
      // The browser gives up for good after an answer that is no stream, as a server gives while it starts.
      close();
      timer = setTimeout(open, AGAIN_MILLISECONDS);
    };
    source.onmessage = (message) => {
      const event = ServerEventSchema.safeParse(JSON.parse(message.data as string));
      if (event.success) onEvent(event.data);
    };
  };
  const onVisibility = () => {
    if (document.visibilityState === 'visible') {
      if (source === undefined) open();
      else clearTimeout(timer);
    } else if (source !== undefined) {
      clearTimeout(timer);
      timer = setTimeout(close, HIDDEN_MILLISECONDS);
    }
  };
  document.addEventListener('visibilitychange', onVisibility);
  open();
  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    close();
  };
}
