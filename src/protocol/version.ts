import { Fault } from '../model/fault.ts';

/** Versions of the link and peer protocols that this build speaks; the highest common one is used. */
export const PROTOCOL = { lowest: 1, highest: 1 };
/** Header with the range of the side that dials (`1-2`) and the one number that the other side chose. */
export const PROTOCOL_HEADER = 'cloudspan-protocol';

export function protocolRange(): string {
  return `${PROTOCOL.lowest}-${PROTOCOL.highest}`;
}

/** The highest version that both sides speak. Fault `protocol.version` names both ranges. */
export function chooseProtocol(range: string | undefined, who: string): number {
  const match = /^(\d+)-(\d+)$/.exec(range ?? '');
  const highest = Math.min(Number(match?.[2] ?? 0), PROTOCOL.highest);
  if (match === null || highest < Math.max(Number(match[1]), PROTOCOL.lowest)) {
    throw new Fault('protocol.version', `${who} speaks protocol ${range ?? 'none'}, this side ${protocolRange()}`);
  }
  return highest;
}
