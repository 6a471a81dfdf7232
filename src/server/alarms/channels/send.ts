import { getCACertificates } from 'node:tls';
import { Fault } from '../../../model/fault.ts';
import type { Trust } from '../../../model/option.ts';
import type { Way } from '../../../model/proxy.ts';
import type { ChannelTarget } from '../../../protocol/api/alarms.ts';
import type { Message } from '../message.ts';
import { sendEmail } from './email.ts';
import { sendSyslog } from './syslog.ts';
import { postWebhook } from './webhook.ts';

const PATIENCE_MILLISECONDS = 20_000;

export interface Sending {
  name: string;
  target: ChannelTarget;
  /** Of the webhook's signature, or the e-mail account's password. */
  secret: string | undefined;
  message: Message;
  trust: Trust;
  way: Way | undefined;
  signal: AbortSignal;
}

/** Resolves when the other side has taken the message (over UDP: when it is on its way). Faults say why not. */
export async function sendMessage(sending: Omit<Sending, 'trust' | 'signal'>, signal: AbortSignal): Promise<void> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MILLISECONDS)]);
  const whole = { ...sending, trust: sending.target.trust ?? everybodysTrust(), signal: limited };
  const { target } = sending;
  try {
    if (target.kind === 'webhook') await postWebhook(target, whole);
    else if (target.kind === 'email') await sendEmail(target, whole);
    else await sendSyslog(target, whole);
  } catch (error) {
    signal.throwIfAborted();
    const fault = Fault.from(error, `channel ${sending.name}`);
    // The ways are those of clouds, and their remedies speak of nodes.
    throw fault.code === 'channel.refused' ? fault : new Fault('channel.refused', fault.message, { cause: error });
  }
}

function everybodysTrust(): Trust {
  return { kind: 'ca', pem: [...getCACertificates('default'), ...getCACertificates('system')].join('\n') };
}
