import type { Clouds } from '../clouds.ts';
import { partsOfId } from '../sign-in-id.ts';
import type { Endpoints } from './endpoints.ts';

/**
 * Whose slots a job takes: both nodes, both clouds, and the host of the machine that leaves, where its cloud tells. A cloud is
 * the same one for whoever uses it with an account of their own.
 */
export function slotKeysOf(
  clouds: { get(cloud: string): Pick<ReturnType<Clouds['get']>, 'node'> },
  { sourceCloud, destinationCloud, source }: Pick<Endpoints, 'sourceCloud' | 'destinationCloud' | 'source'>,
): string[] {
  const baseOf = (cloud: string) => partsOfId(cloud).cloud;
  const host = source.facts?.host;
  const keys = [sourceCloud, destinationCloud].flatMap((cloud) => [
    `cloud:${baseOf(cloud)}`,
    `node:${clouds.get(cloud).node}`,
  ]);
  return [...new Set([...keys, ...(host === undefined ? [] : [`host:${baseOf(sourceCloud)}/${host}`])])];
}
