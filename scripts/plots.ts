/** Bars as SVG from the rows of a bench: readable on light and on dark pages, no scripts, no fonts of its own. */
import type { Row } from '../bench/measure.ts';

const WIDTH = 860;
const LEFT = 170;
const RIGHT = 210;
const BAR = 15;
const GAP = 4;

export const OURS = 'Cloudspan';

export interface Group {
  name: string;
  unit: string;
  bars: { name: string; value: number; note: string }[];
}

export function figure(value: number): string {
  if (value >= 10_000) return Math.round(value).toLocaleString('en-US');
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function note({ ratio, aim }: Row): string {
  const times = `${figure(ratio)} ×`;
  if (aim === null) return times;
  return `${times}, aim ${figure(aim)}${ratio >= aim ? ' ✓' : ''}`;
}

/** Rows of the same case and unit side by side: ours first, then every peer with how many times better ours is. */
export function groupsOf(rows: readonly Row[]): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const key = JSON.stringify([row.case, row.unit]);
    const group = groups.get(key) ?? {
      name: row.case,
      unit: row.unit,
      bars: [{ name: OURS, value: row.ours, note: '' }],
    };
    group.bars.push({ name: row.peerName, value: row.peer, note: note(row) });
    groups.set(key, group);
  }
  return [...groups.values()];
}

const escaped = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .case { font-weight: 600; }
  .ours { fill: #0969da; }
  .peer { fill: #afb8c1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .ours { fill: #4493f8; }
    .peer { fill: #57606a; }
  }`;

/** Bars are to scale inside of one case; cases of different size and unit are not. */
export function plot(title: string, rows: readonly Row[]): string {
  const parts: string[] = [];
  let y = 8;
  for (const { name, unit, bars } of groupsOf(rows)) {
    y += 20;
    parts.push(`<text class="case" x="0" y="${y}">${escaped(`${name} · ${unit}`)}</text>`);
    y += 8;
    const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
    for (const [index, bar] of bars.entries()) {
      const length = Math.max(1, ((WIDTH - LEFT - RIGHT) * bar.value) / most).toFixed(1);
      const middle = y + BAR - 3;
      parts.push(
        `<text x="${LEFT - 8}" y="${middle}" text-anchor="end">${escaped(bar.name)}</text>`,
        `<rect class="${index === 0 ? 'ours' : 'peer'}" x="${LEFT}" y="${y}" width="${length}" height="${BAR}" rx="2"/>`,
        `<text x="${(LEFT + Number(length) + 6).toFixed(1)}" y="${middle}">${escaped([figure(bar.value), bar.note].filter(Boolean).join('   '))}</text>`,
      );
      y += BAR + GAP;
    }
    y += 6;
  }
  const height = y + 6;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>${style}
</style>
${parts.join('\n')}
</svg>
`;
}
