import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import type { ServerEvent } from '../../../src/protocol/api.ts';

/** A page that stays open at one server. */
export async function listenAt(url: string, token: string) {
  const events: ServerEvent[] = [];
  const call = request(`${url}/api/v1/events`, {
    rejectUnauthorized: false,
    headers: { authorization: `Bearer ${token}` },
  });
  call.on('error', () => {});
  call.end();
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  answer.on('error', () => {});
  createInterface({ input: answer })
    .on('error', () => {})
    .on('line', (line) => {
      if (line.startsWith('data: ')) events.push(JSON.parse(line.slice(6)) as ServerEvent);
    });
  return {
    /** Of a job, as they were told. */
    states: (id: string) =>
      events.flatMap((event) => (event.type === 'job' && event.job.id === id ? [event.job.state] : [])),
    [Symbol.asyncDispose]: async () => void call.destroy(),
  };
}
