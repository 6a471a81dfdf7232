import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';

/** Written for the browser, which has other globals than Node. */
const IN_PAGE = readFileSync(join(import.meta.dirname, 'in-page.js'), 'utf8');

const NAMED = [
  'button',
  'checkbox',
  'combobox',
  'dialog',
  'link',
  'menuitem',
  'navigation',
  'progressbar',
  'radio',
  'radiogroup',
  'searchbox',
  'table',
  'textbox',
  'tree',
  'treeitem',
] as const;

/** What a person who does not see the page, or sees it badly, would stumble over; empty when there is nothing. */
export async function barriers(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const role of NAMED) {
    const [all, named] = await Promise.all([
      page.getByRole(role).count(),
      page.getByRole(role, { name: /\S/ }).count(),
    ]);
    if (all !== named) found.push(`${all - named} of ${all} with role ${role} have no name`);
  }
  return [...found, ...(await page.evaluate<string[]>(IN_PAGE))];
}
