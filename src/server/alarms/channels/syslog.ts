import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import type { z } from 'zod';
import { dialCloud } from '../../../base/tls.ts';
import { Fault } from '../../../model/fault.ts';
import type { SyslogSchema } from '../../../protocol/api/alarms.ts';
import type { Message } from '../message.ts';
import type { Sending } from './send.ts';

const LOCAL0 = 16;
const SEVERITIES = { critical: 2, warning: 4, info: 6 } as const;

/** RFC 5424; over TCP and TLS framed by octet counting (RFC 6587, RFC 5425). */
export async function sendSyslog(
  { host, port, transport }: z.output<typeof SyslogSchema>,
  { name, message, trust, signal }: Sending,
): Promise<void> {
  const line = Buffer.from(syslogLine(message));
  try {
    if (transport === 'udp') return await sendDatagram(line, host, port);
    const target = { host, port };
    const socket =
      transport === 'tls' ? await dialCloud(target, trust, `syslog ${name}`, signal) : await dialPlain(target, signal);
    socket.end(Buffer.concat([Buffer.from(`${line.length} `), line]));
    await once(socket, 'finish', { signal });
    socket.destroySoon();
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('channel.refused', `syslog ${name}: ${host}:${port}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** `<PRI>1 TIME HOST APP PROCID MSGID SD MSG`; the message is UTF-8 behind its mark. */
export function syslogLine(message: Message): string {
  const priority = LOCAL0 * 8 + SEVERITIES[message.severity];
  const place =
    hostname()
      .replace(/[^!-~]/g, '-')
      .slice(0, 255) || '-';
  const text = message.text.replace(/\p{Cc}/gu, ' ');
  return `<${priority}>1 ${message.at} ${place} cloudspan ${process.pid} ${message.type} - \uFEFF${text}`;
}

async function sendDatagram(line: Buffer, host: string, port: number): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.send(line, port, host, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    socket.close();
  }
}

async function dialPlain(target: { host: string; port: number }, signal: AbortSignal): Promise<Socket> {
  const socket = connect(target);
  socket.on('error', () => {});
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
