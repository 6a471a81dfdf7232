import type { Check } from '../../model/check.ts';
import type { CloudAbout } from '../driver.ts';
import type { Plan } from './plan.ts';

/** The newest virtual hardware by release: a host is never newer than its vCenter. */
const NEWEST: readonly (readonly [release: string, version: number])[] = [
  ['8.0.2', 21],
  ['8.0', 20],
  ['7.0.2', 19],
  ['7.0.1', 18],
  ['7.0', 17],
  ['6.7.2', 15],
  ['6.7', 14],
  ['6.5', 13],
];
/** NVMe controllers came with it. */
const NVME_VERSION = 13;

/** Whether the virtual hardware of what is built can run here. */
export function hardwareChecks({ description, placement }: Plan, about: CloudAbout): Check[] {
  const { product } = about;
  // A vCenter 6.7 U2 tells version 6.7.0, and only its API 6.7.2.
  const version = compare(about.apiVersion, about.version) > 0 ? about.apiVersion : about.version;
  const name = 'hardware-version';
  const wanted = description.machines.map((machine) => ({
    machine,
    number: numberOf(placement.hardwareVersion ?? machine.hardwareVersion),
  }));
  const newest = NEWEST.find(([release]) => compare(version, release) >= 0)?.[1];
  const tooNew =
    newest === undefined || compare(version, '9') >= 0 ? [] : wanted.filter(({ number }) => number > newest);
  const checks: Check[] = [];
  if (tooNew.length > 0) {
    const machines = tooNew.map(({ machine, number }) => `"${machine.name}" wants vmx-${number}`).join(', ');
    checks.push({
      name,
      outcome: 'fail',
      found: `${machines}; ${product} knows up to vmx-${newest}.`,
      remedy: `Choose --hardware-version vmx-${newest} or lower, or a newer destination.`,
    });
  } else {
    const versions = [...new Set(wanted.filter(({ number }) => number > 0).map(({ number }) => `vmx-${number}`))];
    checks.push({ name, outcome: 'pass', found: `${product} knows ${versions.join(', ') || 'the hardware'}.` });
  }
  const old = wanted.filter(
    ({ machine, number }) =>
      number > 0 && number < NVME_VERSION && machine.controllers.some(({ kind }) => kind === 'nvme'),
  );
  if (old.length > 0) {
    checks.push({
      name: 'disk-nvme',
      outcome: 'fail',
      found: `NVMe disks need vmx-${NVME_VERSION}: ${old.map(({ machine }) => `"${machine.name}"`).join(', ')}.`,
      remedy: `Choose --hardware-version vmx-${NVME_VERSION} or higher.`,
    });
  }
  return checks;
}

function numberOf(version: string | undefined): number {
  return Number(/\d+/.exec(version ?? '')?.[0] ?? 0);
}

function compare(one: string, other: string): number {
  const [left, right] = [one, other].map((text) => text.split('.').map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
