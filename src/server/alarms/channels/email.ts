import { createTransport } from 'nodemailer';
import type { z } from 'zod';
import { dialCloud } from '../../../base/tls.ts';
import { Fault } from '../../../model/fault.ts';
import type { EmailSchema } from '../../../protocol/api/alarms.ts';
import type { Sending } from './send.ts';

const SILENCE_MILLISECONDS = 20_000;

/** By SMTP, over TLS in any case: the password of the account never travels in clear. */
export async function sendEmail(
  { host, port, security, user, from, to }: z.output<typeof EmailSchema>,
  { name, secret, message, trust, way, signal }: Sending,
): Promise<void> {
  const who = `e-mail ${name}`;
  const socket =
    security === 'tls'
      ? await dialCloud({ host, port }, trust, who, signal, way === undefined ? {} : { way })
      : undefined;
  const transport = createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    connectionTimeout: SILENCE_MILLISECONDS,
    greetingTimeout: SILENCE_MILLISECONDS,
    socketTimeout: SILENCE_MILLISECONDS,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(user === undefined ? {} : { auth: { user, pass: secret ?? '' } }),
    ...(trust.kind === 'ca' ? { tls: { ca: trust.pem, minVersion: 'TLSv1.2' as const } } : {}),
    ...(socket === undefined
      ? {}
      : {
          getSocket: (_options: unknown, done: (error: null, socket: object) => void) =>
            done(null, { connection: socket, secured: true }),
        }),
  });
  try {
    await transport.sendMail({
      from,
      to,
      subject: `[cloudspan] ${message.text.slice(0, 150)}`,
      text: [message.text, '', JSON.stringify(message, undefined, 2)].join('\n'),
      messageId: `<${message.id}@cloudspan.invalid>`,
    });
  } catch (error) {
    throw new Fault('channel.refused', `${who}: ${host}:${port}: ${(error as Error).message}`, { cause: error });
  } finally {
    transport.close();
    socket?.destroy();
  }
}
