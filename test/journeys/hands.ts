import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VcenterHands } from '../drivers/vcenter-hands.ts';
import type { Installation } from './installation.ts';

/** Somebody who works in the simulated vCenter of an installation, past Cloudspan. */
export async function handsOn(site: Installation): Promise<VcenterHands> {
  const { url = '', username = '', password = '' } = site.lab('vcenter').options;
  const file = await readFile(join(site.folder, 'vcenter', 'credentials.json'), 'utf8');
  const { labKey } = JSON.parse(file) as { labKey: string };
  return new VcenterHands({ url, user: username, password, labKey });
}
