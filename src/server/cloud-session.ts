import { randomUUID } from 'node:crypto';
import { Fault } from '../model/fault.ts';
import type { OptionValues } from '../model/option.ts';
import type { SessionRequest } from '../protocol/link.ts';
import type { CloudRow, SealedSecret } from './store/clouds.ts';
import type { NodeRow } from './store/nodes.ts';
import type { Vault } from './vault.ts';

/**
 * Takes the values for a driver apart: what may be shown, and secrets sealed for the vault. Faults `input.invalid`:
 * unknown driver, unknown option, missing option.
 */
export function splitOptions(node: NodeRow, driverName: string, values: OptionValues, vault: Vault) {
  const drivers = node.about?.drivers ?? [];
  const driver = drivers.find(({ name }) => name === driverName);
  if (driver === undefined) {
    throw new Fault('input.invalid', `node ${node.name} has no driver "${driverName}"`, {
      remedy: `Its drivers: ${drivers.map(({ name }) => name).join(', ') || 'not known until it was linked once'}.`,
    });
  }
  const plain: OptionValues = {};
  const secrets: SealedSecret[] = [];
  for (const [name, value] of Object.entries(values)) {
    const option = driver.options.find((one) => one.name === name);
    if (option === undefined) {
      throw new Fault('input.invalid', `${driverName} has no option "${name}"`, {
        remedy: `Its options: ${driver.options.map((one) => one.name).join(', ')}.`,
      });
    }
    if (option.type !== 'secret') plain[name] = value;
    else if (value !== '') {
      const id = randomUUID();
      secrets.push({ id, name, sealed: vault.seal(id, value) });
    }
  }
  for (const { name, label, required, default: usual } of driver.options) {
    const given = plain[name] ?? secrets.find((secret) => secret.name === name)?.name ?? usual ?? '';
    if (required && given === '') throw new Fault('input.invalid', `${driverName}: ${label} (${name}) is missing`);
  }
  return { plain, secrets };
}

/** What the node needs to sign in; secrets are opened for this moment only. Fault: `vault.locked`. */
export function sessionRequest(row: CloudRow, secrets: SealedSecret[], vault: Vault): SessionRequest {
  const opened = secrets.map(({ id, name, sealed }) => [name, vault.open(id, sealed)] as const);
  return {
    driver: row.driver,
    label: row.name,
    owner: row.owner,
    options: { ...row.options, ...Object.fromEntries(opened) },
    trust: row.trust,
  };
}

/** What somebody signs in with, besides secrets. Address and organization are the cloud's. */
export const ACCOUNT_OPTION = 'username';

export function withoutAccount({ [ACCOUNT_OPTION]: _, ...common }: OptionValues): OptionValues {
  return common;
}

/** Where a cloud refuses what a person signed in with, that person can mend it: who waits for it is told how. */
export function asTold({ account, name }: CloudRow, fault: Fault): Fault {
  if (account === null || fault.code !== 'auth.refused') return fault;
  return new Fault('cloud.signed-out', `${name} does not take the sign-in any more: ${fault.message}`, {
    cause: fault,
    remedy: `Whoever it is signs in again: cloudspan clouds sign-in ${name}. Jobs that wait for it go on then.`,
  });
}
