import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

const PREFIX = 'cloudspan-wan-';

/** The words in front of a command that make it run inside of a network namespace; the process keeps its id. */
export function inside(namespace: string): string[] {
  return ['ip', 'netns', 'exec', namespace];
}

export function ip(...words: string[]): string {
  return execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Named after this process, so that `sweep` knows whether its maker is still alive. */
export function makeNamespace(side: string): string {
  const name = `${PREFIX}${process.pid}-${side}`;
  ip('netns', 'add', name);
  ip('-n', name, 'link', 'set', 'lo', 'up');
  return name;
}

export function removeNamespace(name: string): void {
  if (existsSync(`/run/netns/${name}`)) ip('netns', 'delete', name);
}

/** Removes the namespaces of processes that have ended without doing so. */
export function sweep(): void {
  if (!existsSync('/run/netns')) return;
  for (const name of readdirSync('/run/netns')) {
    const maker = name.startsWith(PREFIX) ? /^\d+/.exec(name.slice(PREFIX.length))?.[0] : undefined;
    if (maker !== undefined && !existsSync(`/proc/${maker}`)) removeNamespace(name);
  }
}
