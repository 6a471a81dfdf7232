import type { WayName } from '../journeys/installation.ts';
import { createDraw, type Draw } from './draw.ts';
import { type Ill, type IllKind, illText, type Moment, type NodeName, type Victim } from './ills.ts';
import type { Way } from './plan.ts';
import type { Direction } from './wire.ts';

const MiB = 1024 * 1024;

/** An installation is used for so many runs, unless one of them fails. In every other one the nodes meet at the server. */
export const RUNS_PER_SITE = 20;

/** One seeded run: a copy, and what befalls it. */
export interface Course {
  number: number;
  relayed: boolean;
  way: Way;
  diskBytes: number;
  dataBytes: number;
  bytesPerSecond: number;
  ills: Ill[];
}

const WAYS: readonly Way[] = ['out', 'out', 'home', 'home', 'template out', 'template home'];
const LINKS: readonly WayName[] = [
  'source-server',
  'destination-server',
  'peer',
  'peer',
  'vcenter',
  'host',
  'director',
];
const RELAYED_LINKS: readonly WayName[] = LINKS.map((way) => (way === 'peer' ? 'source-server' : way));
const VICTIMS: readonly Victim[] = [
  ...(['server', 'source', 'destination', 'vcenter', 'director', 'postgres'] as const),
  ...(['source', 'destination'] as const),
];

/** Silence after which the installation of these runs gives a connection up. */
export const STALL_SECONDS = 2;
const SHORT = [300, 900] as const;
const LONGER_THAN_STALL = [STALL_SECONDS * 1000 + 500, STALL_SECONDS * 1000 + 2500] as const;

/** The same for the same seed and number, whatever other runs there are. */
export function drawCourse(seed: number, number: number): Course {
  const draw = createDraw(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const way = draw.pick(WAYS);
  const relayed = isRelayed(number);
  const diskBytes = (5 + Math.floor(draw.next() * 16)) * MiB + (way.endsWith('out') ? 512 : 0);
  const count = draw.pick([1, 1, 2, 2, 3]);
  const ills: Ill[] = [];
  const struck = new Set<string>();
  while (ills.length < count) {
    const ill = drawIll(draw, way, relayed ? RELAYED_LINKS : LINKS);
    if (relayed && ill.kind === 'other port') continue;
    const whom = whomOf(ill);
    if (whom.some((one) => struck.has(one))) continue;
    for (const one of whom) struck.add(one);
    ills.push(ill);
  }
  return {
    number,
    relayed,
    way,
    diskBytes,
    dataBytes: Math.floor(diskBytes * (0.6 + draw.next() * 0.35)),
    bytesPerSecond: draw.pick([4, 6, 8]) * MiB,
    ills,
  };
}

export function isRelayed(number: number): boolean {
  return Math.floor(number / RUNS_PER_SITE) % 2 === 1;
}

export function courseText({ way, relayed, diskBytes, ills }: Course): string {
  return `${way}${relayed ? ' over the relay' : ''}, ${Math.round(diskBytes / MiB)} MiB: ${ills.map(illText).join('; ')}`;
}

/** Two ills of one course hit different parts: whoever is away can do no more. */
function whomOf(ill: Ill): string[] {
  switch (ill.kind) {
    case 'kill':
    case 'freeze':
      return ill.victim === 'postgres' ? ['server'] : [ill.victim];
    case 'cut':
    case 'half-open':
    case 'flip on the wire':
      return [ill.way];
    case 'clock':
      return [`clock of ${ill.part}`];
    default:
      return [ill.node];
  }
}

const KINDS: readonly IllKind[] = [
  ...(['kill', 'kill', 'freeze', 'freeze', 'cut', 'cut', 'half-open', 'half-open'] as const),
  ...(['flip on the wire', 'flip in the store', 'full disk', 'clock', 'other port'] as const),
];

function drawIll(draw: Draw, way: Way, links: readonly WayName[]): Ill {
  const at: Moment =
    draw.next() < 0.8
      ? { arrived: Math.round(5 + draw.next() * 80) / 100 }
      : { afterMilliseconds: Math.round(draw.next() * 1500) };
  const kind = draw.pick(KINDS);
  const node: NodeName = draw.pick(['source', 'destination']);
  const receiver: NodeName = way.endsWith('out') ? 'destination' : 'source';
  switch (kind) {
    case 'kill':
      return { at, kind, victim: draw.pick(VICTIMS), awayMilliseconds: between(draw, [100, 1500]) };
    case 'freeze':
      return {
        at,
        kind,
        victim: draw.pick(VICTIMS),
        milliseconds: between(draw, draw.pick([SHORT, LONGER_THAN_STALL])),
      };
    case 'cut':
      return { at, kind, way: draw.pick(links), milliseconds: between(draw, [0, 2000]) };
    case 'half-open':
      return { at, kind, way: draw.pick(links), milliseconds: between(draw, draw.pick([SHORT, LONGER_THAN_STALL])) };
    case 'flip on the wire': {
      const link = draw.pick(links);
      const direction = draw.pick(['up', 'down'] as const);
      const far = draw.next() < 0.5 && direction === dataDirection(link, way);
      return { at, kind, way: link, direction, afterBytes: between(draw, [0, far ? MiB : 200]) };
    }
    case 'flip in the store':
      return { at, kind, node: receiver, place: draw.next() };
    case 'full disk':
      return { at, kind, node, milliseconds: between(draw, [300, 2500]) };
    case 'clock':
      return {
        at,
        kind,
        part: draw.pick(['server', 'source', 'destination']),
        hours: draw.pick([-72, -5, -1, 1, 5, 11]),
        milliseconds: between(draw, [1500, 4000]),
      };
    case 'other port':
      return { at, kind, node: 'destination', awayMilliseconds: between(draw, [100, 1500]) };
  }
}

/** Where a way carries the disk: null where it carries words only. */
function dataDirection(link: WayName, way: Way): Direction | null {
  const out = way.endsWith('out');
  if (link === 'peer' || link === 'director') return out ? 'up' : 'down';
  return link === 'host' ? (out ? 'down' : 'up') : null;
}

function between(draw: Draw, [low, high]: readonly [number, number]): number {
  return Math.round(low + draw.next() * (high - low));
}
