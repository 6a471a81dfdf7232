import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { faultsOfReceipt } from '../base/receipts.ts';
import { Fault } from '../model/fault.ts';
import type { Receipt } from '../model/receipt.ts';
import type { NodeView } from '../protocol/api/nodes.ts';
import type { Client } from '../protocol/client.ts';
import { ReceiptSchema } from '../protocol/nouns.ts';
import type { ReadingView } from '../protocol/readings.ts';
import { readNamedFile } from './files.ts';
import { findObject } from './objects.ts';
import { bytesText, printJson, printLine } from './output.ts';
import { connectLast } from './session.ts';

interface VerifyFlags {
  against?: string;
  json?: boolean;
}

const ASK_MILLISECONDS = 500;

export function addVerify(program: Command): void {
  program
    .command('verify <receipt>')
    .description(
      'check a receipt (`cloudspan jobs receipt N > FILE`): its roots and the signatures of both nodes, without any server.\n' +
        'With --against the disks are read again and compared. Exit code 0 when everything agrees, else 1.',
    )
    .option('--against <cloud/path>', 'read this object now and compare its roots with those of the receipt')
    .option('--json', 'answer as JSON')
    .action(verifyReceipt);
}

async function verifyReceipt(file: string, flags: VerifyFlags): Promise<void> {
  const receipt = readReceipt(file);
  const nodes = await knownNodes(flags.against !== undefined || receipt.keys === undefined);
  const keys = Object.fromEntries(nodes.map(({ pin, publicKey = '' }) => [pin, publicKey]));
  const faults = faultsOfReceipt(receipt, keys);
  if (faults.length > 0) {
    throw new Fault('receipt.invalid', `${file} is no valid receipt: ${faults.join('; ')}`, { details: { faults } });
  }
  const read = flags.against === undefined ? undefined : await readAgain(flags.against, flags.json === true);
  if (read !== undefined) compare(receipt, read, flags.against ?? '');
  if (flags.json === true) {
    printJson({
      valid: true,
      receipt: { job: receipt.job, source: receipt.source, destination: receipt.destination, nodes: receipt.nodes },
      signers: Object.keys(receipt.signatures),
      ...(read === undefined ? {} : { against: flags.against, version: read.version, disks: read.disks }),
    });
  } else printReceipt(receipt, nodes, read, flags.against ?? '');
}

/** With all fields that stand in the file: newer ones are signed as well. Fault: `receipt.invalid`. */
function readReceipt(file: string): Receipt {
  const invalid = (why: string) =>
    new Fault('receipt.invalid', `${file} is no receipt: ${why}`, {
      remedy: 'Export it with `cloudspan jobs receipt N > FILE`; a job has one when it succeeded.',
    });
  let value: unknown;
  try {
    value = JSON.parse(readNamedFile(file, 'receipt'));
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw invalid('it is no JSON');
  }
  const parsed = ReceiptSchema.safeParse(value);
  if (parsed.success) return value as Receipt;
  const issue = parsed.error.issues[0];
  throw invalid(value === null ? 'it is empty' : `${issue?.path.join('.')}: ${issue?.message}`);
}

/** Names and keys of nodes where there is a session; without one the receipt has to carry its keys. */
async function knownNodes(needed: boolean): Promise<NodeView[]> {
  try {
    await using connection = await connectLast();
    return (await connection.client.listNodes({})).nodes;
  } catch (error) {
    if (needed) throw error;
    return [];
  }
}

async function readAgain(path: string, json: boolean): Promise<ReadingView> {
  await using connection = await connectLast();
  const { client } = connection;
  const object = await findObject(client, path);
  const { cloud } = object;
  const { reading } = await client.startReading({ cloud, object: object.id });
  try {
    return await follow(client, cloud, reading, json);
  } finally {
    await client.endReading({ cloud, reading }).catch(() => {});
  }
}

async function follow(client: Client, cloud: string, reading: string, json: boolean): Promise<ReadingView> {
  for (let last = ''; ; await sleep(ASK_MILLISECONDS)) {
    const state = await client.getReading({ cloud, reading });
    if (state.phase === 'done') return state;
    if (state.phase === 'failed' || state.phase === 'cancelled') {
      throw state.fault === undefined
        ? new Fault('job.cancelled', 'the reading was cancelled')
        : Fault.fromReport(state.fault);
    }
    const { doneBytes = 0, totalBytes = 0 } = state.progress ?? {};
    const line = `${bytesText(doneBytes)} of ${bytesText(totalBytes)}  ${state.fault?.message ?? state.text}`;
    if (!json && line !== last) process.stderr.write(`${line}\n`);
    last = line;
  }
}

/** In the order of the package: clouds name disks each in their own way. Fault: `receipt.outdated`. */
function compare(receipt: Receipt, { disks = [] }: ReadingView, path: string): void {
  const differ = receipt.disks.flatMap(({ label, destinationRoot }, index) => {
    const root = disks[index]?.root;
    return root === destinationRoot ? [] : [`${label} has the root ${root ?? 'none'} instead of ${destinationRoot}`];
  });
  if (disks.length !== receipt.disks.length) {
    differ.unshift(`there are ${disks.length} disks instead of ${receipt.disks.length}`);
  }
  if (differ.length === 0) return;
  throw new Fault('receipt.outdated', `${path} is not what the receipt says: ${differ.join('; ')}`, {
    details: { disks: differ },
  });
}

function printReceipt(receipt: Receipt, nodes: NodeView[], read: ReadingView | undefined, path: string): void {
  const { source, destination, startedAt, endedAt, disks } = receipt;
  printLine(`from  ${source.cloud} "${source.name}" (${source.object}), version ${source.version}`);
  printLine(`to    ${destination.cloud} "${destination.name}" (${destination.object})`);
  printLine(`time  ${startedAt} to ${endedAt}`);
  for (const disk of disks) {
    printLine(`disk  ${disk.label}, ${bytesText(disk.capacityBytes)}: ${disk.destinationRoot} (${disk.level})`);
  }
  for (const pin of Object.keys(receipt.signatures)) {
    const known = nodes.find((node) => node.pin === pin)?.name;
    const said = Object.values(receipt.nodes ?? {}).find((node) => node.pin === pin)?.name;
    const who = known === undefined ? `${said ?? 'a node'}, by its own word: compare its pin` : `node ${known}`;
    printLine(`signed by ${pin} (${who})`);
  }
  printLine(read === undefined ? 'the receipt is valid' : `the receipt is valid, and ${path} has these very bytes now`);
}
