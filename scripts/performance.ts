/**
 * `node scripts/performance.ts [BENCH…]` runs the benches that are named, one after the other, and keeps their rows in
 * docs/performance.json; `--from FILE` takes rows out of the lines that `npm run bench -- NAME --json` printed. Then, and
 * with no word at all, it draws docs/images/performance-*.svg and writes the tables of docs/performance.md between
 * their marks.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { Row } from '../bench/measure.ts';
import { figure, plot } from './plots.ts';

interface Result {
  /** When it ran. */
  at: string;
  machine: string;
  rows: Row[];
}

const root = resolve(import.meta.dirname, '..');
const resultsFile = join(root, 'docs/performance.json');
const pageFile = join(root, 'docs/performance.md');

/** What decides most of the figures: cores, and whether the processor has instructions for SHA-256. */
function machine(): string {
  const processors = cpus();
  const flags = readFileSync('/proc/cpuinfo', 'utf8');
  const sha = /\bsha_ni\b|\bsha2\b/.test(flags) ? 'with' : 'without';
  return [
    `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}`,
    `${sha} SHA-256 instructions`,
    `${Math.round(totalmem() / 1024 ** 3)} GiB`,
    `Linux ${release().split('-')[0]}`,
    `Node ${process.versions.node}`,
  ].join(', ');
}

/** The last line that is a result. */
function lastResult(output: string, name?: string): { bench: string; rows: Row[] } {
  for (const line of output.split('\n').reverse()) {
    if (!line.startsWith('{"bench"')) continue;
    const found = JSON.parse(line) as { bench: string; rows: Row[] };
    if (name === undefined || found.bench === name) return found;
  }
  throw new Error(`no line of the output is a result${name === undefined ? '' : ` of "${name}"`}`);
}

function runBench(name: string): Row[] {
  const output = execFileSync(process.execPath, [join(root, 'bench/main.ts'), name, '--json'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return lastResult(output, name).rows;
}

function table({ rows }: Result): string {
  const lines = rows.map(({ case: name, unit, ours, peer, peerName, ratio, aim }) => {
    const judged = aim === null ? '' : ratio >= aim ? `${figure(aim)} ✓` : `${figure(aim)}, **short**`;
    return `| ${name} | ${unit} | ${figure(ours)} | ${figure(peer)} | ${peerName} | ${figure(ratio)} | ${judged} |`;
  });
  return [
    '| case | unit | Cloudspan | peer | peer is | ratio (larger is better) | aim |',
    '| --- | --- | ---: | ---: | --- | ---: | --- |',
    ...lines,
  ].join('\n');
}

function section(name: string, result: Result): string {
  return `![${name}](images/performance-${name}.svg)

${table(result)}

Measured ${result.at.slice(0, 10)} on ${result.machine}.`;
}

/** Puts `text` between the marks of `name`; a bench that the page does not know gets a section at its end. */
function between(page: string, name: string, text: string): string {
  const [open, close] = [`<!-- bench ${name} -->`, `<!-- end of ${name} -->`];
  const from = page.indexOf(open);
  const to = page.indexOf(close);
  if (from === -1 || to < from) return `${page.trimEnd()}\n\n## ${name}\n\n${open}\n\n${text}\n\n${close}\n`;
  return `${page.slice(0, from)}${open}\n\n${text}\n\n${page.slice(to)}`;
}

const results = JSON.parse(readFileSync(resultsFile, 'utf8')) as Record<string, Result>;
const keep = (name: string, rows: Row[]) => {
  results[name] = { at: new Date().toISOString(), machine: machine(), rows };
  writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
};
const words = process.argv.slice(2);
for (let word = words.shift(); word !== undefined; word = words.shift()) {
  if (word === '--from') {
    const { bench, rows } = lastResult(readFileSync(words.shift() ?? '', 'utf8'));
    keep(bench, rows);
  } else keep(word, runBench(word));
}
let page = readFileSync(pageFile, 'utf8');
mkdirSync(join(root, 'docs/images'), { recursive: true });
for (const [name, result] of Object.entries(results)) {
  writeFileSync(join(root, `docs/images/performance-${name}.svg`), plot(name, result.rows));
  page = between(page, name, section(name, result));
}
writeFileSync(pageFile, page);
