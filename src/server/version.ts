import { createRequire } from 'node:module';
import { z } from 'zod';

const PackageSchema = z.object({ version: z.string() });

/** Of this release. */
export const VERSION: string = PackageSchema.parse(createRequire(import.meta.url)('../../package.json')).version;
