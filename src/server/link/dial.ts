import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { parseAddress } from '../../base/address.ts';
import type { Identity } from '../../base/identity.ts';
import { dialIdentity } from '../../base/tls.ts';
import { Fault, type FaultReport } from '../../model/fault.ts';
import type { Way } from '../../model/proxy.ts';
import { LINK_PATH, LINK_UPGRADE } from '../../protocol/link.ts';
import { FaultReportSchema } from '../../protocol/nouns.ts';
import { chooseProtocol, PROTOCOL_HEADER, protocolRange } from '../../protocol/version.ts';

const ANSWER_MILLISECONDS = 20_000;

/** Dials a `direct` node and asks for the link. Faults: `node.unreachable`, `node.untrusted`, `protocol.version`. */
export async function dialLink(
  node: { name: string; address: string; pin: string },
  identity: Identity,
  signal: AbortSignal,
  way: Way = () => null,
): Promise<Duplex> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MILLISECONDS)]);
  const socket = await dialIdentity(parseAddress(node.address), identity, node.pin, limited, { way });
  try {
    return await upgrade(socket, node.name, limited);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function upgrade(socket: Duplex, name: string, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const question = request({
      createConnection: () => socket,
      path: LINK_PATH,
      headers: {
        host: 'node',
        connection: 'Upgrade',
        upgrade: LINK_UPGRADE,
        [PROTOCOL_HEADER]: protocolRange(),
      },
      signal,
    });
    question.once('error', (error) => {
      reject(new Fault('node.unreachable', `node ${name} did not answer: ${error.message}`, { cause: error }));
    });
    question.once('response', (answer) => {
      text(answer).then((body) => reject(refusal(name, answer.statusCode ?? 0, body)), reject);
    });
    question.once('upgrade', (answer, upgraded, head) => {
      try {
        const chosen = answer.headers[PROTOCOL_HEADER];
        chooseProtocol(`${chosen}-${chosen}`, `node ${name}`);
      } catch (error) {
        reject(error);
        return;
      }
      if (head.length > 0) upgraded.unshift(head);
      upgraded.on('error', () => {});
      resolve(upgraded);
    });
    question.end();
  });
}

function refusal(name: string, status: number, body: string): Fault {
  try {
    return Fault.fromReport(FaultReportSchema.parse(JSON.parse(body)) as FaultReport);
  } catch (error) {
    return new Fault('node.unreachable', `node ${name} refused the link with status ${status}`, { cause: error });
  }
}
