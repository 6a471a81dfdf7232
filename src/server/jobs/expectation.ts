import type { Check } from '../../model/check.ts';

/** How a copy goes, and how long source and copy stand still for it. */
export function modeCheck(source: { kind: string; name: string }, shutDown: boolean, powerOn: boolean): Check {
  const { kind, name } = source;
  if (kind === 'media' || kind === 'template') {
    return { name: 'mode', outcome: 'pass', found: `"${name}" is read as it is; nothing has to stand still.` };
  }
  const begin = shutDown ? `"${name}" is shut down first` : `"${name}" is off already`;
  const end = powerOn ? 'the copy is started at the end' : 'the copy stays off';
  return {
    name: 'mode',
    outcome: 'pass',
    found: `A cold copy: ${begin}, it stays off while its disks are read, and ${end}.${shutDown ? ' It is down for the whole of the copy.' : ''}`,
  };
}

/** @param paces Bytes per second of earlier copies between the same clouds. */
export function timeCheck(totalBytes: number, paces: readonly number[]): Check {
  const name = 'expected-time';
  if (paces.length === 0) {
    const found = 'There was no copy between these two clouds yet, so nothing is known of how long it takes.';
    return { name, outcome: 'pass', found };
  }
  const sorted = paces.toSorted((one, other) => one - other);
  const [slow = 1, fast = 1] = [sorted[0], sorted.at(-1)].map((pace = 1) => totalBytes / Math.max(pace, 1));
  const copies = paces.length === 1 ? 'the last copy' : `the last ${paces.length} copies`;
  const [least, most] = [timeText(fast), timeText(slow)];
  const found = `By ${copies} between these clouds it takes ${least === most ? `about ${least}` : `${least} to ${most}`}.`;
  return { name, outcome: 'pass', found };
}

function timeText(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${(minutes / 60).toFixed(1)} h`;
}
