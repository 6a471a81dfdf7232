import type { CopyRequest } from '../../protocol/api/jobs.ts';

export const SWITCHES = ['powerOn', 'powerOffSource', 'keepMac', 'keepUuid', 'rename', 'acceptEulas'] as const;
type SwitchName = (typeof SWITCHES)[number];

/** What a person has filled in so far. */
export interface CopyForm {
  /** `<cloud>/<path>` or `<cloud>/id:<object>`; empty while nothing is chosen. */
  source: string;
  /** Ids of the cloud and of the container in it. */
  place: { cloud: string; object: string } | null;
  name: string;
  networks: Record<string, string | null>;
  placement: Record<string, string>;
  switches: Record<SwitchName, boolean>;
}

export function emptyForm(source: string): CopyForm {
  const off = Object.fromEntries(SWITCHES.map((name) => [name, false])) as Record<SwitchName, boolean>;
  return { source, place: null, name: '', networks: {}, placement: {}, switches: off };
}

/** @param destination `<cloud>/<path>` of the chosen container. */
export function requestOf(form: CopyForm, destination: string): CopyRequest {
  const { source, networks, placement, switches } = form;
  const { rename, ...flags } = switches;
  const name = form.name.trim();
  return {
    kind: 'copy',
    source,
    destination,
    ...(name === '' ? {} : { name }),
    networks,
    placement,
    ...flags,
    onNameClash: rename ? 'rename' : 'fail',
  };
}
