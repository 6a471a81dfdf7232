import { type Identity, signWith } from '../base/identity.ts';
import { rootOfDisks } from '../base/receipts.ts';
import { Fault } from '../model/fault.ts';
import { ReceiptSchema } from '../protocol/nouns.ts';
import type { Work } from './work/work.ts';

const UnsignedReceiptSchema = ReceiptSchema.omit({ signatures: true, keys: true });

/**
 * Signs a receipt when this node's own journal says the same: job, object, and for every disk of the work the root, no
 * disk more and none less, and no better level than was reached here. What is signed is the text as it came.
 * Faults: `job.state` (the work is not done), `transfer.mismatch`, `input.invalid`.
 */
export function signReceipt(identity: Identity, work: Work, text: string): { pin: string; signature: string } {
  const { order, phase, result, id } = work.row;
  if (phase !== 'done' || result === undefined || (order.kind !== 'export' && order.kind !== 'import')) {
    throw new Fault('job.state', `work ${id} is no finished export or import`);
  }
  const receipt = parse(text);
  const refuse = (what: string) => {
    return new Fault('transfer.mismatch', `work ${id}: the receipt does not agree with this node: ${what}`, {
      retry: 'never',
    });
  };
  if (receipt.job !== order.job) throw refuse('it is of another job');
  const side = order.kind === 'export' ? receipt.source : receipt.destination;
  const signer = order.kind === 'export' ? receipt.nodes?.source : receipt.nodes?.destination;
  if (signer !== undefined && signer.pin !== identity.pin) throw refuse('it names another node in this place');
  const object = order.kind === 'export' ? order.object : result.object?.id;
  if (side.object !== object) throw refuse(`its object is ${side.object}, here it was ${object}`);
  if (order.kind === 'export' && receipt.source.version !== result.version) throw refuse('it is of another version');
  if (receipt.disks.length !== result.disks.length) throw refuse('it has another number of disks');
  for (const proof of result.disks) {
    const disk = receipt.disks.find((one) => one.disk === proof.disk);
    if (disk === undefined) throw refuse(`disk ${proof.disk} is missing`);
    if (disk.sourceRoot !== proof.root || disk.destinationRoot !== proof.root) {
      throw refuse(`disk ${proof.disk} has root ${proof.root} here`);
    }
    if (order.kind === 'import' && disk.level !== proof.level && disk.level !== 'sent') {
      throw refuse(`disk ${proof.disk} is proven as ${proof.level} here`);
    }
  }
  const root = rootOfDisks(result.disks.map((proof) => proof.root));
  if (receipt.sourceRoot !== root || receipt.destinationRoot !== root)
    throw refuse(`all disks together have root ${root}`);
  return { pin: identity.pin, signature: signWith(identity, text) };
}

function parse(text: string) {
  try {
    return UnsignedReceiptSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Fault('input.invalid', 'what shall be signed is no receipt', { cause: error });
  }
}
