import { expect, test } from 'vitest';
import { scrub } from './scrub.ts';

test('a secret is struck out in every form in which it may be written', () => {
  const secret = 'a"b\\c/d e';
  const text = `${secret} ${JSON.stringify({ secret })} https://x/?p=${encodeURIComponent(secret)}`;
  expect(scrub(text, [secret, ''])).toBe('[secret] {"secret":"[secret]"} https://x/?p=[secret]');
});

test('of two secrets the longer one goes whole', () => {
  expect(scrub('one: secret-long', ['secret', 'secret-long'])).toBe('one: [secret]');
});
