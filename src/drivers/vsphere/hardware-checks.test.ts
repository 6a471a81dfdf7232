import { expect, test } from 'vitest';
import type { CloudAbout } from '../driver.ts';
import { hardwareChecks } from './hardware-checks.ts';
import type { Plan } from './plan.ts';

function outcome(hardwareVersion: string, version: string, apiVersion: string) {
  const machine = { name: 'web', hardwareVersion, controllers: [] };
  const plan = { description: { machines: [machine] }, placement: {} } as unknown as Plan;
  return hardwareChecks(plan, { product: 'vCenter', version, apiVersion } as CloudAbout)[0]?.outcome;
}

test.each([
  ['vmx-15', '6.7.0', '6.7.3', 'pass'],
  ['vmx-15', '6.7.0', '6.7.2', 'pass'],
  ['vmx-15', '6.7.0', '6.7.1', 'fail'],
  ['vmx-17', '6.7.0', '6.7.3', 'fail'],
  ['vmx-21', '8.0.2', '8.0.1.0', 'pass'],
  ['vmx-19', '7.0.1', '7.0.3.0', 'pass'],
  ['vmx-99', '9.0.0', '', 'pass'],
])('%s on a vCenter that tells version %s and API %s: %s', (hardware, version, api, expected) => {
  expect(outcome(hardware, version, api)).toBe(expected);
});
