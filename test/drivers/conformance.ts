import { afterAll, beforeAll, describe } from 'vitest';
import type { Cloud } from '../../src/drivers/driver.ts';
import { connectPromises } from './conformance/connect.ts';
import { exportPromises } from './conformance/exports.ts';
import { importPromises } from './conformance/imports.ts';
import { inventoryPromises } from './conformance/inventory.ts';
import { mediaPromises } from './conformance/media.ts';
import { objectPromises } from './conformance/objects.ts';
import { powerPromises } from './conformance/power.ts';
import { recoveryPromises } from './conformance/recovery.ts';
import { sourcePromises } from './conformance/sources.ts';
import type { World } from './conformance/world.ts';

export type { KnownSource, World } from './conformance/world.ts';

/** What the tests of one suite share: the world and one signed-in cloud. */
export interface Stage {
  world(): World;
  cloud(): Cloud;
}

/**
 * Holds a driver to every promise of `src/drivers/driver.ts`. `start` makes a world of its own for the suite.
 * Export and power are tested only where the driver has the facet: a missing facet is no failure, a silent one is.
 */
export function conformance(name: string, start: () => Promise<World>): void {
  describe(`the driver ${name}`, () => {
    let world: World;
    let cloud: Cloud;
    const stage: Stage = { world: () => world, cloud: () => cloud };

    beforeAll(async () => {
      world = await start();
      cloud = await world.driver.connect(world.settings, AbortSignal.timeout(30_000));
    });
    afterAll(async () => {
      await cloud?.close();
      await world?.close();
    });

    describe('connecting', () => connectPromises(stage));
    describe('inventory', () => inventoryPromises(stage));
    describe('power', () => powerPromises(stage));
    describe('exports', () => exportPromises(stage));
    describe('imports', () => importPromises(stage));
    describe('media', () => mediaPromises(stage));
    describe('recovery', () => recoveryPromises(stage));
    describe('objects', () => objectPromises(stage));
    describe('sources', () => sourcePromises(stage));
  });
}
