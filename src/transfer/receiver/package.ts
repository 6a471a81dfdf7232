import { Fault } from '../../model/fault.ts';
import { type PackageDescription, partsOf } from '../../model/machine.ts';
import { unspeakable } from '../wire/wire.ts';

/** What vSphere allows at most. */
const MOST_CAPACITY_BYTES = 64 * 1024 ** 4;
const MOST_PARTS = 65_536;

/** What the source says of the package. Its disks and files are what the engine works with, so they are checked here. */
export function parseDescription(
  value: unknown,
  parse: ((value: unknown) => PackageDescription) | undefined,
): PackageDescription {
  let description: PackageDescription;
  let ids: Set<string>;
  try {
    description = parse === undefined ? (value as PackageDescription) : parse(value);
    const parts = partsOf(description);
    ids = new Set(parts.map(({ id }) => id));
    if (parts.length > MOST_PARTS || ids.size !== parts.length)
      throw new TypeError('its disks and files have no ids of their own');
    for (const { kind, id, lengthBytes } of parts) {
      if (typeof id !== 'string' || !Number.isSafeInteger(lengthBytes) || lengthBytes < 0) {
        throw new TypeError(`its ${kind} ${id} has no length`);
      }
      if (lengthBytes > MOST_CAPACITY_BYTES) throw new TypeError(`its ${kind} ${id} is larger than 64 TiB`);
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw unspeakable(`the description of the package cannot be used: ${(error as Error).message}`);
  }
  return description;
}

export function sameParts(one: PackageDescription, other: PackageDescription): boolean {
  const named = (description: PackageDescription) =>
    JSON.stringify(partsOf(description).map(({ kind, id, lengthBytes }) => [kind, id, lengthBytes]));
  return named(one) === named(other);
}
