import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { haveChromium, launchChromium, signIn, visitor } from '../test/ui/browser.ts';

/**
 * Takes a picture of every page, in light and dark, from a demo installation that it starts and ends. The pages must
 * have been built. Usage: `npm run screenshots -- --out FOLDER`.
 */

/** Colours fade from light to dark. */
const FADE_MILLISECONDS = 300;

interface Demo {
  child: ChildProcess;
  url: string;
  password: string;
}

/** Starts the demo and waits until its copy is proven. */
async function startDemo(): Promise<Demo> {
  const main = resolve(import.meta.dirname, '../src/main.ts');
  const child = spawn(process.execPath, [main, 'demo'], { stdio: ['ignore', 'inherit', 'pipe'], detached: true });
  let url = '';
  let password = '';
  for await (const line of createInterface({ input: child.stderr! })) {
    process.stderr.write(`  ${line}\n`);
    url ||= /^The UI is at (https:\S+)/.exec(line)?.[1] ?? '';
    password ||= /^ {2}password +(\S+)/.exec(line)?.[1] ?? '';
    if (password !== '') break;
  }
  if (url === '' || password === '') throw new Error('the demo ended before it was ready');
  child.stderr?.resume();
  return { child, url, password };
}

async function endDemo({ child }: Demo): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGINT');
  await gone;
}

/** Saves `<name>-light.png` and `<name>-dark.png` of what the page shows now. */
async function shoot(page: Page, folder: string, name: string): Promise<void> {
  await page.mouse.move(0, 0);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await sleep(FADE_MILLISECONDS);
    await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`), fullPage: true });
  }
}

async function takeAll(page: Page, folder: string, password: string): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await shoot(page, folder, 'sign-in');
  await signIn(page, password);

  await page.getByRole('link', { name: 'Copy web-01' }).first().waitFor();
  await shoot(page, folder, 'clouds');
  await page.getByRole('treeitem', { name: 'Berlin' }).click();
  await page.getByRole('treeitem', { name: 'vm', exact: true }).click();
  await page.getByRole('treeitem', { name: 'Production' }).click();
  await page.getByText('2 objects').waitFor();
  await shoot(page, folder, 'clouds-folder');

  await page.getByRole('link', { name: 'Copy web-01' }).click();
  const places = page.getByRole('tree', { name: 'Destination' });
  await places.getByRole('treeitem', { name: 'vdc-frankfurt' }).click();
  await page.getByRole('textbox', { name: 'Name of the copy' }).fill('web-02');
  for (const [from, to] of [
    ['Web', 'net-web'],
    ['Database', 'net-db'],
  ] as const) {
    await page.getByRole('combobox', { name: `Destination network for ${from}` }).click();
    await page.getByRole('option', { name: to }).click();
  }
  await page.getByText('Mapped: ').waitFor();
  await page.getByText(/^Ready to copy/).waitFor();
  await shoot(page, folder, 'copy');

  await page.getByRole('button', { name: 'Start the copy' }).click();
  // The second disk is on its way, and the first one waits to be written.
  await page
    .getByText(/^[1-9].* arrived/)
    .nth(1)
    .waitFor({ timeout: 60_000 });
  await shoot(page, folder, 'job-running');
  await page.getByRole('link', { name: 'Jobs', exact: true }).click();
  await page.getByRole('progressbar', { name: 'Progress #2' }).waitFor();
  await shoot(page, folder, 'jobs');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole('link', { name: /^#1 / }).waitFor();
  await shoot(page, folder, 'jobs-phone');
  await page.getByRole('link', { name: /^#2 / }).click();
  await page.getByText('succeeded', { exact: true }).waitFor({ timeout: 180_000 });
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.getByRole('log').getByText('server: succeeded').waitFor();
  await shoot(page, folder, 'job');
}

const { values } = parseArgs({ options: { out: { type: 'string' } } });
if (values.out === undefined) throw new Error('say where the pictures go: --out FOLDER');
const folder = resolve(values.out);
if (!haveChromium()) process.exit(1);
await mkdir(folder, { recursive: true });
const demo = await startDemo();
const browser = await launchChromium();
try {
  const { page } = await visitor(browser, demo.url);
  await takeAll(await page('/'), folder, demo.password);
  process.stderr.write(`the pictures are in ${folder}\n`);
} finally {
  await browser.close();
  await endDemo(demo);
}
