import { expect, test } from 'vitest';
import { readRate, readWindow, writeLimit, writeRate, writeWindow } from './limit-text.ts';

test.each([
  ['100Mbit/s', 100e6],
  ['1.5 Gbit/s', 1.5e9],
  ['800kbit/s', 800e3],
  ['10MB/s', 80e6],
  ['10MiB/s', 80 * 1024 * 1024],
  ['20Mbit', 20e6],
  ['2500', 2500],
  ['0', 0],
  ['unlimited', null],
])('reads the rate %s', (text, bits) => {
  expect(readRate(text)).toBe(bits);
});

test.each(['', 'fast', '-1Mbit/s', '10Xbit/s', '1e9', '10Mi', '20Mb/s', '99999Tbit/s', 'NaN'])(
  'refuses the rate "%s"',
  (text) => {
    expect(() => readRate(text)).toThrow('is no rate');
  },
);

test('writes rates as people read them', () => {
  expect([null, 0, 999, 1e3, 20e6, 1.5e9, 2e12].map(writeRate)).toEqual([
    'unlimited',
    '0 bit/s',
    '999 bit/s',
    '1 kbit/s',
    '20 Mbit/s',
    '1.5 Gbit/s',
    '2 Tbit/s',
  ]);
});

test.each([
  ['mon-fri 8:00-18:00=20Mbit/s', 'mon-fri 08:00-18:00=20Mbit/s'],
  ['daily 22:00-06:00=unlimited', 'daily 22:00-06:00=unlimited'],
  ['sun,sat 00:00-24:00=0', 'sat,sun 00:00-24:00=0bit/s'],
  ['fri-mon 10:00-11:00=1Gbit/s', 'mon,fri,sat,sun 10:00-11:00=1Gbit/s'],
])('reads the window %s and writes it as it reads it', (text, written) => {
  expect(writeWindow(readWindow(text))).toBe(written);
  expect(readWindow(written)).toEqual(readWindow(text));
});

test.each([
  '08:00-18:00=1',
  'mon 25:00-26:00=1',
  'monday 08:00-09:00=1',
  'mon 08:00-09:00',
  'mon 08:00-09:00=x',
  'mon-tue-wed 08:00-09:00=1',
])('refuses the window "%s"', (text) => {
  expect(() => readWindow(text)).toThrow();
});

test('writes a limit in one line', () => {
  const windows = [readWindow('mon-fri 08:00-18:00=20Mbit/s')];
  expect(writeLimit({ bitsPerSecond: 1e9, windows: [] })).toBe('1 Gbit/s');
  expect(writeLimit({ bitsPerSecond: null, timeZone: 'Europe/Berlin', windows })).toBe(
    'mon-fri 08:00-18:00=20Mbit/s; else unlimited (Europe/Berlin)',
  );
});
