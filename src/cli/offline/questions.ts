import { Fault } from '../../model/fault.ts';
import type { OvfProperty, PackageDescription } from '../../model/machine.ts';
import { printable } from '../output.ts';
import { ask, canAsk } from '../prompt.ts';

/** Shows the licenses of a package and takes a person's yes. Fault `eula.required` without a terminal. */
export async function acceptEulas(description: PackageDescription): Promise<boolean> {
  const eulas = [...description.eulas, ...description.machines.flatMap((machine) => machine.eulas)];
  if (eulas.length === 0) return false;
  if (!canAsk()) {
    throw new Fault('eula.required', `"${description.name}" has ${eulas.length} license(s) that must be accepted`, {
      remedy: 'Read them, then say --accept-eulas.',
    });
  }
  for (const eula of eulas) {
    const lines = eula.split('\n').map(printable);
    process.stderr.write(`${lines.join('\n')}\n`);
    if (!/^y(es)?$/i.test(await ask('Do you accept this license? (yes/no) '))) {
      throw new Fault('eula.required', `a license of "${description.name}" was not accepted`);
    }
  }
  return true;
}

/** Values for the properties that a person may set: those given, and answers for the others on a terminal. */
export async function askProperties(
  description: PackageDescription,
  given: Record<string, string>,
): Promise<Record<string, string>> {
  const values = { ...given };
  const all = [...description.properties, ...description.machines.flatMap((machine) => machine.properties)];
  for (const property of all.filter((one) => one.userConfigurable && values[one.key] === undefined)) {
    if (!canAsk()) continue;
    const answer = await ask(questionOf(property));
    if (answer !== '') values[property.key] = answer;
  }
  return values;
}

function questionOf({ key, label, description, value, password }: OvfProperty): string {
  const what = printable(label ?? key);
  const why = description === undefined || description === '' ? '' : ` (${printable(description).slice(0, 200)})`;
  const before = value === undefined || value === '' ? '' : ` [${password === true ? 'as it is' : printable(value)}]`;
  return `${what}${why}${before}: `;
}
