import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { boot, bootWitnesses, buildBootableDisk } from './bootable-disk.ts';
import { toStreamOptimized } from './disk-image.ts';
import { TemporaryFolder } from './temporary-folder.ts';
import { missing } from './witnesses.ts';

describe.skipIf(missing('the bootable disk', bootWitnesses))('the bootable disk', () => {
  it('boots as it was built and prints the marker of this run', async () => {
    await using folder = await TemporaryFolder.make();
    const marker = randomUUID();
    await buildBootableDisk(folder, folder.at('boot.raw'), marker);
    await toStreamOptimized(folder.at('boot.raw'), folder.at('boot.vmdk'));
    const console = await boot(folder, folder.at('boot.vmdk'), 'vmdk');
    expect(console).toContain(`MARKER=${marker}`);
    expect(console).toContain('READY');
    expect(console).toContain('eth0');
  });
});
