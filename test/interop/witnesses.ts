/** Where scripts/install-witnesses.sh puts the programs of other people that these tests need. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
export const cache = join(root, '.cache/witnesses');
export const scripts = join(import.meta.dirname, 'witnesses');

const installed = {
  govc: join(cache, 'bin/govc'),
  vcsim: join(cache, 'bin/vcsim'),
  'vcd-dance': join(cache, 'bin/vcd-dance'),
  python: join(cache, 'python/bin/python'),
  vcd: join(cache, 'python/bin/vcd'),
  schemathesis: join(cache, 'schemathesis/bin/schemathesis'),
  kernel: join(cache, 'kernel/complete'),
  koffi: join(cache, 'koffi/node_modules/koffi/package.json'),
  tun: '/dev/net/tun',
} as const;

/** What is no program. */
const readOnly: readonly Witness[] = ['kernel', 'koffi', 'tun'];

type Installed = keyof typeof installed;
/** Programs of Debian, looked for on the path and where only root has it. */
type Packaged =
  | 'qemu-img'
  | 'qemu-system-x86_64'
  | 'busybox'
  | 'extlinux'
  | 'sfdisk'
  | 'mkfs.ext4'
  | 'modprobe'
  | 'mount'
  | 'losetup'
  | 'ip'
  | 'ping'
  | 'iperf3';

export type Witness = Installed | Packaged | 'root';

/** The path of a program that `missing` has found. */
export function pathOf(witness: Witness): string {
  const path = find(witness);
  if (path === undefined) throw new Error(`${witness} is missing: run scripts/install-witnesses.sh`);
  return path;
}

/**
 * Whether a test file has to be skipped because one of its witnesses is missing; says so loudly. Where CI is set nothing
 * is skipped: it throws.
 */
export function missing(what: string, witnesses: readonly Witness[]): boolean {
  const absent = witnesses.filter((witness) => find(witness) === undefined);
  if (absent.length === 0) return false;
  const sentence = `${what}: NOT TRIED, missing ${absent.join(', ')}; run scripts/install-witnesses.sh (as root)`;
  if (process.env.CI === 'true') throw new Error(sentence);
  console.error(`\n!!! ${sentence}\n`);
  return true;
}

function find(witness: Witness): string | undefined {
  if (witness === 'root') return process.getuid?.() === 0 ? '/' : undefined;
  if (witness in installed) {
    const path = installed[witness as Installed];
    return usable(path, readOnly.includes(witness) ? constants.R_OK : constants.X_OK) ? path : undefined;
  }
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, witness)).find((path) => usable(path, constants.X_OK));
}

function usable(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
