import type { PartName } from '../journeys/installation.ts';
import type { Draw } from './draw.ts';
import {
  type Call,
  destroying,
  intoCatalog,
  intoTemplateFolder,
  intoVcenter,
  intoVdc,
  leavingDirector,
  leavingVcenter,
  type Point,
  pointText,
  sidesOf,
  takingBackFromVcenter,
  takingBackFromVdc,
} from './points.ts';

/** What is copied where: a VM to a VDC, a vApp home to vSphere, a template to a catalog, a template home. */
export type Way = 'out' | 'home' | 'template out' | 'template home';

export interface Plan {
  way: Way;
  points: Point[];
  /** Cancelled as soon as it has made something at the destination; the kill falls into the undo. */
  cancelled?: true;
  size: keyof typeof SIZES;
}

const MiB = 1024 * 1024;

/**
 * Disks by what is to be hit: a call; an undo, which needs bytes on their way; bytes in flight, of which there are more
 * than the window of a transfer, so that a copy that began anew would be found out. Odd where it may be.
 */
export const SIZES = {
  small: { diskBytes: 11 * MiB + 512, dataBytes: 9 * MiB, bytesPerSecond: undefined },
  slow: { diskBytes: 32 * MiB, dataBytes: 30 * MiB, bytesPerSecond: 12 * MiB },
  large: { diskBytes: 100 * MiB, dataBytes: 98 * MiB, bytesPerSecond: 32 * MiB },
};

export function planText({ way, points, cancelled }: Plan): string {
  const cancel = cancelled ? ', cancelled' : '';
  return `${way}${cancel}: ${points.map(pointText).join(' and ')}`;
}

/** After it the machine is whole but not known to be: the next attempt destroys it. */
const lateCrash: Point = {
  at: 'call',
  call: { lab: 'vcenter', name: 'HttpNfcLeaseComplete', match: { method: 'HttpNfcLeaseComplete' } },
  side: 'after',
  victim: 'source',
};

const STEPS = ['preflight', 'transfer', 'proof', 'keep'];

/**
 * Every call of the list is met on all its sides: one side kills the lab that serves it, the other side the node that
 * makes it, and which is which is drawn. Source and destination share a copy. Then the server in every step, a node in
 * the last ones, server and nodes with bytes in flight, and kills in the middle of an undo.
 */
export function drawPlans(draw: Draw): Plan[] {
  const plans = [
    ...pair(draw, 'out', meet(draw, leavingVcenter, 'source'), meet(draw, intoVdc, 'destination')),
    ...pair(draw, 'home', meet(draw, leavingDirector, 'destination'), meet(draw, intoVcenter, 'source')),
    ...pair(draw, 'template out', [], meet(draw, intoCatalog, 'destination')),
    ...pair(draw, 'template home', [], meet(draw, intoTemplateFolder, 'source')),
    ...STEPS.map((step) => one(draw.pick(['out', 'home']), { at: 'step', step, victim: 'server' })),
    ...['proof', 'keep'].map((step) => one('out', { at: 'step', step, victim: draw.pick(['source', 'destination']) })),
    ...(['out', 'home'] as const).flatMap((way) =>
      (['server', 'source', 'destination'] as const).map((victim) => ({
        ...one(way, { at: 'progress', arrived: 0.72 + draw.next() * 0.2, victim }),
        size: 'large' as const,
      })),
    ),
    ...meet(draw, [destroying], 'source').map((point) => ({ ...one('home', lateCrash), points: [lateCrash, point] })),
    ...takenBack(draw, 'home', takingBackFromVcenter, 'source'),
    ...takenBack(draw, 'out', takingBackFromVdc, 'destination'),
  ];
  return draw.shuffle(plans);
}

function meet(draw: Draw, calls: readonly Call[], node: PartName): Point[] {
  return calls.flatMap((call) => {
    const victims = draw.shuffle([call.lab, node]);
    return sidesOf(call).map((side, index) => ({ at: 'call' as const, call, side, victim: victims[index] ?? node }));
  });
}

function pair(draw: Draw, way: Way, source: readonly Point[], destination: readonly Point[]): Plan[] {
  const partners = draw.shuffle(source);
  return draw.shuffle(destination).map((point, index) => {
    const partner = partners[index];
    return { way, points: partner === undefined ? [point] : [partner, point], size: 'small' as const };
  });
}

function one(way: Way, point: Point): Plan {
  return { way, points: [point], size: 'small' as const };
}

function takenBack(draw: Draw, way: Way, calls: readonly Call[], node: PartName): Plan[] {
  return meet(draw, calls, node).map((point) => ({
    ...one(way, point),
    cancelled: true,
    size: 'slow' as const,
  }));
}
