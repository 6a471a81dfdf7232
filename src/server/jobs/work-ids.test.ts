import { expect, test } from 'vitest';
import { worksOf } from './work-ids.ts';

test('the works of a job are those of both ends, of the seed, and the one that sets its source aside', () => {
  expect(worksOf('j')).toEqual(['j.export', 'j.import', 'j.seed', 'j.aside']);
});
