import { checkSteps, isOfSession } from '../../base/check-steps.ts';
import type { Check } from '../../model/check.ts';
import { contentChecks } from '../../model/content-checks.ts';
import { disksOf } from '../../model/machine.ts';
import type { ImportRequest } from '../driver.ts';
import { hardwareChecks } from './hardware-checks.ts';
import { isMapped } from './import-spec.ts';
import { checkName, freeName, namesIn } from './machine-names.ts';
import { createImportSpec, type Plan, planImport } from './plan.ts';
import type { Session } from './session.ts';

/** Runs the steps of an import that touch nothing, and tells what each found. */
export async function importChecks(session: Session, request: ImportRequest, signal: AbortSignal): Promise<Check[]> {
  const { checks, attempt } = checkSteps(signal, isOfSession);
  const plan = await attempt(
    'placement',
    () => planImport(session, request, signal),
    ({ site, placement }) => `It is put into "${site.name}" on datastore "${placement.datastore.name}".`,
  );
  if (plan === undefined) return checks;
  await attempt(
    'name-free',
    async () => {
      checkName(request.name, session.who);
      const taken = await namesIn(session, plan.placement.folder, signal);
      return freeName(taken, request.name, request.onNameClash, session.who);
    },
    (name) => (name === request.name ? `The name "${name}" is free.` : `It will be called "${name}".`),
  );
  checks.push(
    spaceCheck(request, plan),
    ...networkChecks(request),
    ...eulaChecks(request),
    ...contentChecks(request, { format: plan.placement.format, ordersStarts: plan.description.kind === 'vapp' }),
    ...hardwareChecks(plan, await session.about(signal)),
  );
  if (plan.replaced.length > 0) {
    checks.push({
      name: 'hardware',
      outcome: 'warn',
      found: `vSphere does not know every part: ${plan.replaced.join('; ')}.`,
      remedy: 'Check that the guest has the drivers.',
    });
  }
  const spec = await attempt(
    'accepted-by-vsphere',
    () => createImportSpec(session, plan, request, request.name, signal),
    () => 'vSphere accepts the description of the package.',
  );
  for (const warning of spec?.warnings ?? []) {
    checks.push({ name: 'accepted-by-vsphere', outcome: 'warn', found: warning, remedy: 'Look at it after the copy.' });
  }
  return checks;
}

function spaceCheck({ description }: ImportRequest, { placement }: Plan): Check {
  const disks = disksOf(description);
  const full = disks.reduce((sum, disk) => sum + disk.capacityBytes, 0);
  // A thin disk takes what is used; where that is not known, nothing is known against it.
  const used = disks.reduce((sum, disk) => sum + (disk.usedBytes ?? 0), 0);
  const { freeBytes, name } = placement.datastore;
  const thin = placement.format === 'thin';
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  const found = `"${name}" has ${gib(freeBytes)} free; the disks have ${gib(full)}.`;
  const remedy = 'Choose another datastore, or free space on it.';
  if (freeBytes >= full) return { name: 'space', outcome: 'pass', found };
  return { name: 'space', outcome: thin && freeBytes >= used ? 'warn' : 'fail', found, remedy };
}

function networkChecks(request: ImportRequest): Check[] {
  return request.description.machines.flatMap((machine) =>
    machine.nics.flatMap((nic): Check[] => {
      if (isMapped(nic.network, request)) return [];
      const from = nic.network === null ? 'has no network' : `is on "${nic.network}", which is not mapped`;
      return [
        {
          name: 'networks',
          outcome: 'warn',
          found: `Adapter "${nic.label}" of "${machine.name}" ${from}: it arrives disconnected.`,
          remedy: 'Map the network, or connect the adapter afterwards.',
        },
      ];
    }),
  );
}

export function needsEula({ description }: Pick<ImportRequest, 'description'>): boolean {
  return description.eulas.length > 0 || description.machines.some((machine) => machine.eulas.length > 0);
}

function eulaChecks(request: ImportRequest): Check[] {
  if (!needsEula(request)) return [];
  return request.acceptEulas
    ? [{ name: 'eulas', outcome: 'pass', found: 'The license agreements are accepted.' }]
    : [
        {
          name: 'eulas',
          outcome: 'fail',
          found: `"${request.description.name}" has license agreements that must be accepted.`,
          remedy: 'Read and accept them with --accept-eulas.',
        },
      ];
}
