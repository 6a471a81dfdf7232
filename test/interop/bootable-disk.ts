/**
 * A small Linux that boots from its own disk: one ext4 partition with extlinux, Debian's cloud kernel and an initramfs of
 * busybox and the drivers of VMware's and virtio's disks and adapters. When it is up it prints a text that lies in a file
 * on the disk, then `READY`, and powers off.
 */
import { spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { MIB } from './disk-image.ts';
import { run } from './program.ts';
import type { TemporaryFolder } from './temporary-folder.ts';
import { cache, pathOf, type Witness } from './witnesses.ts';

/** What building and booting need. `root`: extlinux wants the file system mounted. */
export const bootWitnesses: readonly Witness[] = [
  'root',
  'kernel',
  'busybox',
  'extlinux',
  'sfdisk',
  'mkfs.ext4',
  'modprobe',
  'mount',
  'losetup',
  'qemu-img',
  'qemu-system-x86_64',
];

const MODULES = ['virtio_pci', 'virtio_blk', 'virtio_scsi', 'vmw_pvscsi', 'vmxnet3', 'sd_mod', 'ata_piix'];

const INIT = `#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$module; done
for second in 1 2 3 4 5 6 7 8 9 10; do
  for disk in /dev/sd?1 /dev/vd?1; do
    [ -b $disk ] && /bin/busybox mount -t ext4 $disk /disk && break 2
  done
  /bin/busybox sleep 1
done
echo "MARKER=$(/bin/busybox cat /disk/marker)"
echo "ADAPTERS=$(/bin/busybox ls /sys/class/net | /bin/busybox tr '\\n' ' ')"
echo started >> /disk/starts
/bin/busybox umount /disk
echo READY
/bin/busybox poweroff -f
`;

/** Where the kernel and the first partition lie: the usual MiB after the start of the disk. */
const PARTITION_START = MIB;
const CAPACITY = 256 * MIB;

/** Writes a raw disk that boots and prints `marker`. */
export async function buildBootableDisk(folder: TemporaryFolder, raw: string, marker: string): Promise<void> {
  const initramfs = folder.at('initramfs.gz');
  await writeFile(initramfs, gzipSync(await initramfsOf(folder), { level: 1 }));
  {
    await using disk = await open(raw, 'w');
    await disk.truncate(CAPACITY);
  }
  await run(pathOf('sfdisk'), ['--quiet', raw], {
    input: `label: dos\nstart=${PARTITION_START / 512}, type=83, bootable\n`,
  });
  await writeAt(raw, await readFile(await bootSector()), 0);
  // The features that extlinux cannot read are left out.
  const words = ['-q', '-F', '-O', '^64bit,^metadata_csum', '-E', `offset=${PARTITION_START}`, raw];
  await run(pathOf('mkfs.ext4'), [...words, String((CAPACITY - PARTITION_START) / 1024)]);
  const mounted = folder.at('mounted');
  await mkdir(mounted);
  await run(pathOf('mount'), ['-o', `loop,offset=${PARTITION_START}`, raw, mounted]);
  try {
    await copyFile(join(cache, 'kernel/vmlinuz'), join(mounted, 'vmlinuz'));
    await copyFile(initramfs, join(mounted, 'initramfs.gz'));
    await writeFile(join(mounted, 'marker'), `${marker}\n`);
    await writeFile(
      join(mounted, 'extlinux.conf'),
      'SERIAL 0 115200\nDEFAULT linux\nPROMPT 0\nLABEL linux\n  LINUX /vmlinuz\n  INITRD /initramfs.gz\n' +
        '  APPEND console=ttyS0 quiet panic=-1\n',
    );
    await run(pathOf('extlinux'), ['--install', mounted]);
  } finally {
    await run('umount', [mounted]);
  }
}

/**
 * Boots a copy-on-write overlay of the disk on VMware's hardware (pvscsi, vmxnet3) and gives back what its serial console
 * printed until it powered off.
 */
export async function boot(folder: TemporaryFolder, image: string, format: 'raw' | 'vmdk'): Promise<string> {
  const overlay = folder.at(`${basename(image)}.overlay.qcow2`);
  await run(pathOf('qemu-img'), ['create', '-q', '-f', 'qcow2', '-F', format, '-b', image, overlay]);
  const serial = folder.at(`${basename(image)}.console`);
  const child = spawn(
    pathOf('qemu-system-x86_64'),
    [
      ...['-accel', 'tcg', '-m', '128', '-nodefaults', '-no-reboot', '-display', 'none'],
      ...['-serial', `file:${serial}`],
      ...['-drive', `if=none,id=disk,format=qcow2,file=${overlay}`],
      ...['-device', 'pvscsi,id=scsi', '-device', 'scsi-hd,bus=scsi.0,drive=disk'],
      ...['-netdev', 'user,id=net,restrict=on', '-device', 'vmxnet3,netdev=net'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk.toString('utf8');
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.on('error', reject);
  child.on('close', () => resolve());
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
  const text = await readFile(serial, 'utf8').catch(() => '');
  return complaints === '' ? text : `${text}\n${complaints}`;
}

/** A cpio archive with busybox, the modules in the order in which they are to be loaded, and `init`. */
async function initramfsOf(folder: TemporaryFolder): Promise<Buffer> {
  const root = folder.at('initramfs');
  for (const name of ['bin', 'modules', 'proc', 'sys', 'dev', 'disk'])
    await mkdir(join(root, name), { recursive: true });
  await copyFile(pathOf('busybox'), join(root, 'bin/busybox'));
  await copyFile(pathOf('busybox'), join(root, 'bin/sh'));
  const modules = await modulesInOrder();
  for (const module of modules) await copyFile(module, join(root, 'modules', basename(module)));
  await writeFile(join(root, 'modules/order'), `${modules.map((module) => basename(module)).join('\n')}\n`);
  await writeFile(join(root, 'init'), INIT);
  await chmod(join(root, 'init'), 0o755);
  const archive = folder.at('initramfs.cpio');
  const names = (await readdir(root, { recursive: true })).sort();
  await run(pathOf('busybox'), ['cpio', '-o', '-H', 'newc', '-F', archive], {
    cwd: root,
    input: `${names.join('\n')}\n`,
  });
  return readFile(archive);
}

async function modulesInOrder(): Promise<string[]> {
  const kernel = dirname(pathOf('kernel'));
  const [version = ''] = await readdir(join(kernel, 'lib/modules'));
  const order = new Set<string>();
  for (const module of MODULES) {
    const text = await run(pathOf('modprobe'), ['-d', kernel, '-S', version, '--show-depends', module]);
    for (const [, path] of text.matchAll(/^insmod (\S+)/gm)) if (path !== undefined) order.add(path);
  }
  return [...order];
}

async function bootSector(): Promise<string> {
  const candidates = ['/usr/lib/syslinux/mbr/mbr.bin', '/usr/lib/EXTLINUX/mbr.bin', '/usr/share/syslinux/mbr.bin'];
  for (const path of candidates) {
    const there = await open(path).then(
      (file) => file.close().then(() => true),
      () => false,
    );
    if (there) return path;
  }
  throw new Error(`syslinux's boot sector is in none of ${candidates.join(', ')}`);
}

async function writeAt(file: string, bytes: Buffer, position: number): Promise<void> {
  await using disk = await open(file, 'r+');
  await disk.write(bytes, 0, bytes.length, position);
}
