import type { PartName, WayName } from '../journeys/installation.ts';
import type { Direction } from './wire.ts';

export type NodeName = 'source' | 'destination';
/** Every process that can be hit; `postgres` is the server's. */
export type Victim = PartName | 'postgres';

/** When an ill begins: with a fraction of the bytes at the destination's node, or some time after the start of the job. */
export type Moment = { arrived: number } | { afterMilliseconds: number };

/** What is done to the installation. What has a time heals after it. */
export type Ill = { at: Moment } & (
  | { kind: 'kill'; victim: Victim; awayMilliseconds: number }
  | { kind: 'freeze'; victim: Victim; milliseconds: number }
  | { kind: 'cut'; way: WayName; milliseconds: number }
  | { kind: 'half-open'; way: WayName; milliseconds: number }
  | { kind: 'flip on the wire'; way: WayName; direction: Direction; afterBytes: number }
  | { kind: 'flip in the store'; node: NodeName; place: number }
  | { kind: 'full disk'; node: NodeName; milliseconds: number }
  | { kind: 'clock'; part: 'server' | NodeName; hours: number; milliseconds: number }
  | { kind: 'other port'; node: 'destination'; awayMilliseconds: number }
);

export type IllKind = Ill['kind'];

export function illText(ill: Ill): string {
  return `${whatText(ill)} ${momentText(ill.at)}`;
}

function momentText(at: Moment): string {
  return 'arrived' in at ? `with ${Math.round(at.arrived * 100)}% arrived` : `after ${at.afterMilliseconds} ms`;
}

function whatText(ill: Ill): string {
  switch (ill.kind) {
    case 'kill':
      return `${ill.victim} killed, away for ${ill.awayMilliseconds} ms,`;
    case 'freeze':
      return `${ill.victim} frozen for ${ill.milliseconds} ms`;
    case 'cut':
      return `${ill.way} cut for ${ill.milliseconds} ms`;
    case 'half-open':
      return `${ill.way} half open, silent for ${ill.milliseconds} ms,`;
    case 'flip on the wire':
      return `a bit flipped on ${ill.way} ${ill.direction}, ${ill.afterBytes} bytes later,`;
    case 'flip in the store':
      return `a bit flipped in the store of ${ill.node} (${ill.place.toFixed(3)}), which is killed,`;
    case 'full disk':
      return `disk of ${ill.node} full for ${ill.milliseconds} ms`;
    case 'clock':
      return `clock of ${ill.part} wrong by ${ill.hours} h for ${ill.milliseconds} ms`;
    case 'other port':
      return `${ill.node} killed and back at another port after ${ill.awayMilliseconds} ms,`;
  }
}

/** Whether an ill can reach the blocks on their way between the nodes, which may be through the server. */
export function disturbsTransfer(ill: Ill, relayed: boolean): boolean {
  if (relayed) return ill.kind !== 'clock' && !('victim' in ill && ill.victim === 'postgres');
  switch (ill.kind) {
    case 'kill':
    case 'freeze':
      return ill.victim !== 'server' && ill.victim !== 'postgres';
    case 'cut':
    case 'half-open':
    case 'flip on the wire':
      return ill.way !== 'source-server' && ill.way !== 'destination-server';
    case 'clock':
      return false;
    default:
      return true;
  }
}
