import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createPlaces } from './places.ts';

test('no more are inside than there are places, and who waits longest comes next', async () => {
  const places = createPlaces(2);
  const inside: string[] = [];
  const enter = async (name: string) => {
    const place = await places.take();
    inside.push(name);
    return place;
  };
  const [first, second] = [await enter('a'), await enter('b')];
  const third = enter('c');
  const fourth = enter('d');
  await turn();
  expect(inside).toEqual(['a', 'b']);
  second[Symbol.dispose]();
  second[Symbol.dispose]();
  await third;
  await turn();
  expect(inside).toEqual(['a', 'b', 'c']);
  first[Symbol.dispose]();
  (await fourth)[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  await Promise.all([enter('e'), enter('f')]);
  expect(inside).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});
