import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const ROOMS = ['src/drivers', 'src/server/jobs', 'src/model', 'src/node'];
/** The ways in which code names a check. */
const NAMED = [
  /name: '([a-z-]+)',\s*outcome:/g,
  /\bconst name = '([a-z-]+)';/g,
  /\b(?:attempt|tried|warn|add|pass)\(\s*'([a-z-]+)',/g,
  /checks\.push\(warn\('([a-z-]+)'/g,
];

test('docs/checks.md names every check that the code makes', () => {
  const page = readFileSync(join(root, 'docs/checks.md'), 'utf8');
  const names = new Set<string>();
  for (const room of ROOMS) {
    for (const file of readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
      const text = readFileSync(join(root, room, file), 'utf8');
      if (!text.includes('model/check.ts') && !text.includes('./check.ts') && !text.includes('check-steps.ts'))
        continue;
      for (const pattern of NAMED) for (const [, name = ''] of text.matchAll(pattern)) names.add(name);
    }
  }
  expect(names.size).toBeGreaterThan(40);
  expect([...names].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
