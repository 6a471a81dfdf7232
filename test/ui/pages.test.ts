import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from '../journeys/installation.ts';
import { directorWorld, vcenterWorld } from '../journeys/worlds.ts';
import { barriers } from './accessibility.ts';
import { haveChromium, launchChromium, signIn, type Visitor, visitor } from './browser.ts';

/** Bytes per second at which the source gives its disks, where a test wants to watch. */
const SLOW = 1_200_000;

let site: Installation;
let browser: Browser;
let origin: string;
/** Signed in. */
let admin: Visitor;

describe.skipIf(!haveChromium())('the pages', () => {
  beforeAll(async () => {
    [site, browser] = await Promise.all([Installation.start({ vcenterWorld, directorWorld }), launchChromium()]);
    origin = `https://${site.account.host}`;
    admin = await visitor(browser, origin);
    const page = await admin.page('/');
    await signIn(page, site.account.password);
    await page.getByRole('table', { name: 'Machines' }).waitFor();
    await page.close();
  }, 180_000);

  afterEach(async () => {
    for (const page of admin.context.pages()) await page.close();
  });

  afterAll(async () => {
    await browser?.close();
    await site?.[Symbol.asyncDispose]();
  }, 60_000);

  it('say why a wrong password is refused, and let the right one in', async () => {
    const stranger = await visitor(browser, origin);
    const page = await stranger.page('/jobs');
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await barriers(page)).toEqual([]);
    await signIn(page, 'not the password');
    await page.getByRole('alert').getByText('auth.refused').waitFor();
    expect(await page.getByRole('navigation').count()).toBe(0);
    await signIn(page, site.account.password);
    await page.getByRole('heading', { name: 'Jobs' }).waitFor();
    await page.getByText('No job has run yet').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(stranger.complaints).toEqual([]);
    await stranger.context.close();
  });

  it('show the machines of every cloud, and a change without reload', async () => {
    const page = await openOnce('/clouds');
    for (const name of ['web-01', 'golden', 'shop', 'crm', 'alpine', 'a/b %41 & ü 日本'])
      await page.getByRole('row').filter({ hasText: name }).first().waitFor();
    const power = (state: string) => page.getByRole('button', { name: `Power of web-01: ${state}` });
    await power('Off').waitFor();
    const { cloud, id } = await machine('vc', 'web-01');
    await site.client.power({ cloud, object: id, body: { action: 'on' } });
    await power('On').waitFor();
    await site.client.power({ cloud, object: id, body: { action: 'off' } });
    await power('Off').waitFor();
    await expectSamePage(page);
  });

  it('find a place in the tree and a machine by filter with the keyboard alone', async () => {
    const page = await openOnce('/clouds');
    await page.getByRole('treeitem', { name: 'DC1', exact: true }).waitFor();
    await page.getByRole('treeitem', { name: 'All clouds' }).focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.type('DC1');
    await page.keyboard.press('ArrowRight');
    await page.getByRole('treeitem', { name: 'vm', exact: true }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.type('vm');
    await page.keyboard.press('Enter');
    await page.getByRole('treeitem', { name: 'vm', selected: true }).waitFor();
    await page.getByRole('searchbox', { name: 'Filter' }).focus();
    await page.keyboard.type('日本');
    await page.getByText('1 object', { exact: true }).waitFor();
    expect(await page.getByRole('row').filter({ hasText: 'a/b %41 & ü 日本' }).count()).toBe(1);
    await expectSamePage(page);
  });

  it('ask before a machine is cut off, and change nothing when the answer is no', async () => {
    const page = await openOnce('/clouds');
    await page.getByRole('button', { name: 'Power of running: On' }).click();
    await page.getByRole('menuitem', { name: 'Power off' }).click();
    const dialog = page.getByRole('dialog', { name: 'Power off: running' });
    await dialog.getByRole('button', { name: 'Leave it as it is' }).click();
    await dialog.waitFor({ state: 'hidden' });
    expect((await machine('vc', 'running')).machine?.power).toBe('on');
  });

  it('copy a machine from the form to the receipt, live', async () => {
    const [page, other] = [await openOnce('/clouds'), await openOnce('/clouds')];
    await page.getByRole('link', { name: 'Copy web-01', exact: true }).click();
    const start = page.getByRole('button', { name: 'Start the copy' });
    expect(await start.isDisabled()).toBe(true);
    await choosePlace(page, 'vdc1');
    await page.getByRole('textbox', { name: 'Name of the copy' }).fill('from the page');
    await page.getByRole('combobox', { name: 'Destination network for VM Network' }).click();
    await page.getByRole('option', { name: 'net1' }).click();
    await page.getByText('arrive disconnected').waitFor();
    await page.getByText("--name 'from the page' --network 'VM Network=net1'").waitFor();
    await slowDown(SLOW);
    await start.click();
    const bar = page.getByRole('progressbar', { name: /^Progress #/ });
    await site.until(
      async () => {
        const value = Number(await bar.getAttribute('aria-valuenow'));
        return value > 2 && value < 100 ? true : undefined;
      },
      30,
      'the page shows no progress',
    );
    await slowDown(undefined);
    await page.getByText('succeeded', { exact: true }).waitFor({ timeout: 60_000 });
    const number = /#(\d+)/.exec((await page.getByRole('heading', { level: 1 }).textContent()) ?? '')?.[1] ?? '';
    const job = await site.client.getJob({ job: number });
    const receipt = page.getByRole('region', { name: 'Receipt' });
    for (const disk of job.receipt?.disks ?? []) await receipt.getByText(disk.destinationRoot).waitFor();
    expect(job.receipt?.disks).toHaveLength(2);
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      receipt.getByRole('button', { name: 'Download receipt' }).click(),
    ]);
    expect(JSON.parse(await text(await file.createReadStream()))).toEqual(job.receipt);
    await page.getByRole('log').getByText('succeeded').waitFor();
    await other.getByRole('link', { name: 'from the page', exact: true }).waitFor();
    await expectSamePage(page);
    await expectSamePage(other);
  });

  it('show a failed check with its remedy, and do not start then', async () => {
    const page = await openOnce('/copy');
    await page.getByRole('combobox', { name: 'Source' }).fill('running');
    await page.getByRole('option', { name: /running/ }).click();
    await choosePlace(page, 'vdc1');
    await page.getByText('This copy cannot be started yet.').waitFor();
    await page.getByText('What to do').first().waitFor();
    expect(await page.getByRole('button', { name: 'Start the copy' }).isDisabled()).toBe(true);
  });

  it('cancel a job, say so, and leave nothing behind', async () => {
    await slowDown(SLOW);
    const { id, number } = await site.copy({
      source: 'vc/DC1/vm/Web/web-01',
      destination: 'vcd/vdc1',
      name: 'never there',
    });
    const page = await openOnce('/jobs');
    await page
      .getByRole('row')
      .filter({ hasText: `#${number}` })
      .getByRole('link')
      .click();
    await page.getByText('running', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByText('cancelled', { exact: true }).waitFor();
    await slowDown(undefined);
    expect((await site.client.getJob({ job: id })).failure?.leftovers).toEqual([]);
    await site.until(
      async () => ((await named('vcd', 'never there')).length === 0 ? true : undefined),
      20,
      'the cancelled copy is still there',
    );
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.getByText('succeeded', { exact: true }).waitFor({ timeout: 60_000 });
    await expectSamePage(page);
  });

  it.each(['light', 'dark'] as const)('can be used by everybody, %s', async (colorScheme) => {
    for (const path of ['/clouds', '/jobs', '/jobs/1', '/copy?source=vc/DC1/vm/Web/web-01']) {
      const page = await openOnce(path);
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.getByRole('status', { name: 'Loading' }).first().waitFor({ state: 'hidden' });
      expect(await barriers(page), path).toEqual([]);
    }
  });

  it('fit on a phone for watching jobs', async () => {
    const page = await openOnce('/jobs');
    await page.setViewportSize({ width: 390, height: 844 });
    for (const open of [() => page.goto('/jobs'), () => page.getByRole('link', { name: /^#1 / }).click()]) {
      await open();
      await page.getByRole('progressbar', { name: 'Progress #1' }).waitFor();
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    }
  });

  it('survive a restart of the server: say that it is away, then show what is new', async () => {
    const page = await openOnce('/clouds');
    const row = page.getByRole('row').filter({ hasText: 'vc/DC1/vm/Web' });
    const power = (state: string) => row.getByRole('button', { name: `Power of web-01: ${state}` });
    await power('Off').waitFor();
    await site.kill('server');
    const away = page.getByText('The server does not answer.');
    await away.waitFor();
    await power('Off').waitFor();
    await site.revive('server');
    await away.waitFor({ state: 'hidden', timeout: 40_000 });
    const { cloud, id } = await site.until(() => machine('vc', 'web-01'), 40, 'the cloud is not back');
    await site.until(
      async () => {
        await site.client.power({ cloud, object: id, body: { action: 'on' } });
        return true;
      },
      40,
      'the cloud does not take the power change',
    );
    await power('On').waitFor();
    await expectSamePage(page);
  });

  it('have asked no other host for anything, and kept to their policy', () => {
    expect(admin.foreign).toEqual([]);
    expect(admin.complaints).toEqual([]);
  });
});

/** A page with a mark that a reload would wipe. */
async function openOnce(path: string): Promise<Page> {
  const page = await admin.page(path);
  await page.evaluate('window.untouched = true');
  return page;
}

async function expectSamePage(page: Page): Promise<void> {
  expect(await page.evaluate<boolean>('window.untouched === true')).toBe(true);
}

async function choosePlace(page: Page, name: string): Promise<void> {
  await page.getByRole('tree', { name: 'Destination' }).getByRole('treeitem', { name, exact: true }).click();
}

async function named(cloudName: string, name: string) {
  const { clouds } = await site.client.listClouds({});
  const cloud = clouds.find((one) => one.name === cloudName)?.id ?? '';
  const { objects } = await site.client.listObjects({ query: { cloud, kinds: 'vm,vapp,template' } });
  return objects.filter((object) => object.name === name);
}

async function machine(cloudName: string, name: string) {
  const [object] = await named(cloudName, name);
  if (object === undefined) throw new Error(`${cloudName} has no ${name}`);
  return object;
}

async function slowDown(bytesPerSecond: number | undefined): Promise<void> {
  await site.labCall(
    'vcenter',
    'POST',
    '/faults',
    bytesPerSecond === undefined ? {} : { bytesPerSecond: { host: bytesPerSecond } },
  );
}

async function text(stream: AsyncIterable<Buffer | string>): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += chunk.toString();
  return all;
}
