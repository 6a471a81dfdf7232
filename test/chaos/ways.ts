import type { Way } from './plan.ts';
import type { LabName } from './points.ts';

/** From where to where, the labs of both ends, and what is made. Names of sources follow `from`. */
export const WAYS: Record<Way, { from: string; to: string; source: LabName; lab: LabName; kind: string }> = {
  out: { from: 'vc/DC1/vm/Sources/', to: 'vcd/vdc1', source: 'vcenter', lab: 'director', kind: 'vapp' },
  home: { from: 'vcd/vdc1/', to: 'vc/DC1/vm', source: 'director', lab: 'vcenter', kind: 'vm' },
  'template out': {
    from: 'vc/DC1/vm/Sources/',
    to: 'vcd/templates',
    source: 'vcenter',
    lab: 'director',
    kind: 'template',
  },
  'template home': {
    from: 'vcd/templates/',
    to: 'vc/DC1/vm',
    source: 'director',
    lab: 'vcenter',
    kind: 'template',
  },
};

/** The window of a transfer: no more than this may be sent twice for one kill. */
export const WINDOW_BYTES = 64 * 1024 * 1024;
/** Stands for the vendor's 300 s. */
export const LEASE_SECONDS = 4;
