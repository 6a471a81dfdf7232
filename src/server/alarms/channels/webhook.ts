import { createHmac } from 'node:crypto';
import type { z } from 'zod';
import { CloudHttp } from '../../../base/http.ts';
import { Fault } from '../../../model/fault.ts';
import type { WebhookSchema } from '../../../protocol/api/alarms.ts';
import type { Sending } from './send.ts';

/**
 * `POST` with `Cloudspan-Signature: t=<unix seconds>,v1=<hex HMAC-SHA-256 over "<t>.<body>">`. The time is that of this try, so
 * that a receiver refuses what is old, and with `Cloudspan-Delivery`, the message's id, what it has seen.
 */
export async function postWebhook(
  { url }: z.output<typeof WebhookSchema>,
  { name, secret = '', message, trust, way, signal }: Sending,
): Promise<void> {
  const who = `webhook ${name}`;
  const body = JSON.stringify(message);
  const http = new CloudHttp({ trust, who, stallSeconds: 20, ...(way === undefined ? {} : { way }) });
  try {
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'cloudspan',
      'cloudspan-event': message.type,
      'cloudspan-delivery': message.id,
      'cloudspan-signature': signatureOf(secret, body, Math.floor(Date.now() / 1000)),
    };
    const answer = await http.request({ method: 'POST', url, headers, body, signal });
    answer.body.destroy();
    if (answer.status >= 200 && answer.status < 300) return;
    throw new Fault('channel.refused', `${who}: ${new URL(url).host} answered with status ${answer.status}`);
  } finally {
    await http.close();
  }
}

function signatureOf(secret: string, body: string, seconds: number): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
