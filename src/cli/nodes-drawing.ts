import type { NodesCheck } from '../protocol/reach.ts';

type Way = NodesCheck['ways'][number];
type Leg = Way['legs'][number];
type Attempt = Leg['attempts'][number];

/** What was found out about two nodes, as lines: the ways, the nodes, each step, what blocks and what to do. */
export function drawCheck(check: NodesCheck): string[] {
  const [one, other] = check.nodes;
  const lines: string[] = [];
  if (other === undefined) lines.push(`${one?.name} serves both ends: nothing has to be dialled`);
  for (const way of check.ways)
    lines.push(
      drawWay(way),
      ...way.legs.flatMap((leg) => leg.attempts.flatMap((attempt) => drawSteps(leg, attempt))),
      '',
    );
  for (const node of check.nodes) lines.push(drawNode(node));
  for (const { name, outcome, found, remedy } of check.findings) {
    if (outcome === 'pass' && name !== 'way') continue;
    lines.push(
      '',
      `${outcome === 'pass' ? 'open' : outcome === 'warn' ? `note (${name})` : `blocked (${name})`}: ${found}`,
    );
    if (remedy !== undefined) lines.push(`what to do: ${remedy}`);
  }
  return lines;
}

/** `A ──► proxy p ──► relay ◄── B`; `──╳` where it ends. */
export function drawWay({ dialer, dialled, relay, open, milliseconds, legs }: Way): string {
  const [first, second] = legs;
  const time = open ? `   open, ${milliseconds} ms` : '   blocked';
  if (relay === undefined) {
    const best = first?.attempts.find(({ fault }) => fault === undefined) ?? first?.attempts[0];
    return `${dialer}${proxyOf(best)} ${arrow(best)} ${dialled} (${best?.address ?? ''})${time}`;
  }
  const [from, to] = [first?.attempts[0], second?.attempts[0]];
  const right = from !== undefined && atRelay(from) ? '──►' : '──╳';
  const left = to !== undefined && atRelay(to) ? '◄──' : '╳──';
  const back = to?.proxy === undefined ? left : `${left} proxy ${to.proxy} ◄──`;
  return `${dialer}${proxyOf(from)} ${right} relay: ${relay} (${from?.address ?? ''}) ${back} ${dialled}${time}`;
}

function proxyOf(attempt: Attempt | undefined): string {
  return attempt?.proxy === undefined ? '' : ` ──► proxy ${attempt.proxy}`;
}

function arrow(attempt: Attempt | undefined): string {
  return attempt !== undefined && attempt.fault === undefined ? '──►' : '──╳';
}

/** What fails after the meeting is not the way to the relay. */
function atRelay({ fault, steps }: Attempt): boolean {
  return fault === undefined || steps.some(({ step }) => step === 'certificate');
}

function drawSteps({ node }: Leg, { address, steps, fault }: Attempt): string[] {
  const line = (mark: string, step: string, time: string, found: string) =>
    `  ${mark} ${step.padEnd(12)} ${time.padStart(9)}  ${found}`;
  const taken = steps.map(({ step, milliseconds, found }) => line('✓', step, `${milliseconds} ms`, found));
  if (fault !== undefined) taken.push(line('╳', String(fault.details?.step ?? fault.code), '', fault.message));
  return [`  from ${node} to ${address}`, ...taken];
}

function drawNode({
  name,
  pin,
  link,
  public: open,
  addresses,
  clockSeconds,
  linkMilliseconds,
  fault,
}: NodesCheck['nodes'][number]): string {
  if (fault !== undefined) return `${name}: ${fault.message}; key ${pin}`;
  const clock = `${(clockSeconds ?? 0) < 0 ? '−' : '+'}${Math.abs(clockSeconds ?? 0).toFixed(1)} s`;
  const where = open ? `public at ${addresses.join(', ')}` : 'private';
  return `${name}: ${where}, ${link}, link ${linkMilliseconds} ms, clock ${clock}, key ${pin}`;
}
