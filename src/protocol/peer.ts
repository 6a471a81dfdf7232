/**
 * Node to node. Whoever is `dialer` in the ticket makes a TLS 1.3 connection with both pins checked and asks by HTTP/1.1
 * `GET /peer/v1`, `Upgrade: cloudspan-peer`, with its protocol range (`cloudspan-protocol`) and the ticket. After `101`
 * (which carries the one protocol number that was chosen) the socket belongs to the transfer, as one of several.
 * A refusal is a `FaultReport` with the status of its code: `auth.forbidden` where the ticket is not good for these two
 * nodes, `transfer.unknown` where the work that the ticket is for has not been started here (yet): dial again soon.
 */
import { Fault } from '../model/fault.ts';
import { type Ticket, TicketSchema } from './work.ts';

export const PEER_PATH = '/peer/v1';
export const PEER_UPGRADE = 'cloudspan-peer';
/** Header with the ticket as text. */
export const TICKET_HEADER = 'cloudspan-ticket';

/** Longest ticket that is looked at. */
const TICKET_CHARACTERS = 4096;

/**
 * `base64url(JSON).base64url(signature)`. What is signed is the JSON text itself (UTF-8), not its base64url.
 * @param sign ECDSA P-256 with SHA-256 by the server's key; answers base64.
 */
export function writeTicket(ticket: Ticket, sign: (json: string) => string): string {
  const json = JSON.stringify(ticket);
  const signature = Buffer.from(sign(json), 'base64');
  return `${Buffer.from(json).toString('base64url')}.${signature.toString('base64url')}`;
}

export interface TicketText {
  ticket: Ticket;
  /** The text that the signature is over. */
  json: string;
  /** Base64. */
  signature: string;
}

/** Takes the text apart; the signature is not checked here. Fault: `auth.forbidden`. */
export function readTicket(text: string): TicketText {
  const match = /^([\w-]+)\.([\w-]+)$/.exec(text.length > TICKET_CHARACTERS ? '' : text);
  if (match === null) throw new Fault('auth.forbidden', 'the ticket is not a ticket');
  const json = Buffer.from(match[1] ?? '', 'base64url').toString('utf8');
  let content: unknown;
  try {
    content = JSON.parse(json);
  } catch (error) {
    throw new Fault('auth.forbidden', 'the ticket is not readable', { cause: error });
  }
  const parsed = TicketSchema.safeParse(content);
  if (!parsed.success) throw new Fault('auth.forbidden', 'the ticket does not say what a ticket has to say');
  return { ticket: parsed.data, json, signature: Buffer.from(match[2] ?? '', 'base64url').toString('base64') };
}
