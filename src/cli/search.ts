import { type Command, InvalidArgumentError } from 'commander';
import { escapeName } from '../model/path.ts';
import type { SearchHit } from '../protocol/api/search.ts';
import { printJson, printLine, printTable } from './output.ts';
import { connectLast } from './session.ts';

const FIELDS = `
words must all be found, in any order, as parts of names, IPs, MACs (in any notation), networks, guest systems, tags,
power, owners or hosts; names that are or begin with what was typed come first.
  field:value   only there: name, ip, mac, network, os, tag, power, owner, host, cloud, kind
  "two words"   as they are; -word or !word: what must not be found (put -- before them)
examples:
  cloudspan search web 10.0.3
  cloudspan search 00-50-56-ab
  cloudspan search os:windows power:off -- -tag:backup`;

export function addSearch(program: Command): void {
  program
    .command('search <words...>')
    .description('find machines and other objects in all clouds')
    .option('--limit <number>', 'how many at most, 50 unless told', readLimit, 50)
    .option('--json', 'answer as JSON')
    .addHelpText('after', FIELDS)
    .action(search);
}

function readLimit(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 500) return Number(text);
  throw new InvalidArgumentError('it is a number from 1 to 500.');
}

async function search(words: string[], { limit, json }: { limit: number; json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { hits, next } = await connection.client.search({ query: { q: words.map(quoted).join(' '), limit } });
  if (json === true) return printJson({ hits, more: next !== undefined });
  if (hits.length === 0) return printLine('nothing that you may see fits');
  printTable(['CLOUD', 'KIND', 'PATH', 'POWER', 'ADDRESSES', 'OWNER'], hits.map(rowOf));
  if (next !== undefined) printLine(`There are more than ${limit}: add a word, or raise --limit.`);
}

/** What the shell gave as one word is looked for as it stands. */
function quoted(word: string): string {
  if (!/\s/.test(word) || word.includes('"')) return word;
  const [, sign = '', field = '', value = ''] = /^([-!]?)([a-z]+:)?(.*)$/is.exec(word) ?? [];
  return `${sign}${field}"${value}"`;
}

function rowOf({ cloudName, kind, path, machine, owner = '' }: SearchHit): string[] {
  const power = kind === 'template' ? '' : (machine?.power ?? '');
  return [escapeName(cloudName), kind, path, power, (machine?.ips ?? []).join(' '), owner];
}
