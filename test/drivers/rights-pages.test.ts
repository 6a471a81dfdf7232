import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { RIGHTS } from '../../src/drivers/cloud-director/examination.ts';
import { PRIVILEGES } from '../../src/drivers/vsphere/examination.ts';

/** What stands in code marks on a page. */
async function wordsOf(page: string): Promise<string[]> {
  const text = await readFile(new URL(`../../docs/drivers/${page}.md`, import.meta.url), 'utf8');
  const prose = text.replace(/^```.*?^```/gms, '');
  return [...prose.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word.replace(/\s+/g, ' '));
}

test('every privilege that vSphere is asked about is on its page', async () => {
  const words = await wordsOf('vsphere');
  const told = (privilege: string) =>
    words.some((word) => word === privilege || (word.endsWith('.*') && privilege.startsWith(word.slice(0, -1))));
  const asked = Object.values(PRIVILEGES).flatMap((needs) => Object.values(needs).flat());
  expect(asked.filter((privilege) => !told(privilege))).toEqual([]);
});

test('every right that Cloud Director is asked about is on its page', async () => {
  const words = await wordsOf('cloud-director');
  expect(
    Object.values(RIGHTS)
      .flat()
      .filter((right) => !words.includes(right)),
  ).toEqual([]);
});
