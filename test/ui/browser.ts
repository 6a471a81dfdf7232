import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Whether the tests of the UI can run here. In CI a missing browser is a failure, elsewhere a loud line. */
export function haveChromium(): boolean {
  if (existsSync(CHROMIUM)) return true;
  const text = `${CHROMIUM} is not there: the tests of the UI need Debian's chromium (or CHROMIUM=path)`;
  if (process.env.CI === 'true') throw new Error(text);
  process.stderr.write(`\n!!! SKIPPED, NOTHING OF THE UI WAS TESTED: ${text}\n\n`);
  return false;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A browser's memory (cookies), and what its pages did that they should not do. */
export interface Visitor {
  context: BrowserContext;
  /** Addresses outside of the server that a page asked for. */
  foreign: string[];
  /** Errors that a page threw, and what its content security policy refused. */
  complaints: string[];
  page(path: string): Promise<Page>;
}

export async function visitor(browser: Browser, origin: string, options: BrowserContextOptions = {}): Promise<Visitor> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    baseURL: origin,
    locale: 'en-US',
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(20_000);
  const foreign: string[] = [];
  const complaints: string[] = [];
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && !['data:', 'blob:'].includes(url.protocol)) foreign.push(request.url());
  });
  context.on('weberror', (error) => complaints.push(error.error().message));
  context.on('console', (message) => {
    if (/content security policy|not wrapped|Warning:/i.test(message.text())) complaints.push(message.text());
  });
  return {
    context,
    foreign,
    complaints,
    async page(path) {
      const page = await context.newPage();
      await page.goto(path);
      return page;
    },
  };
}

export async function signIn(page: Page, password: string): Promise<void> {
  await page.getByRole('textbox', { name: 'User' }).fill('admin');
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}
