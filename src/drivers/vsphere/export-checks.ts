import type { Check } from '../../model/check.ts';
import { diskChecks } from './disk-checks.ts';
import { childrenOf, flagOf, textOf } from './element.ts';
import { extraConfigOf } from './extras.ts';
import type { SourceMachine, SourcePackage } from './package.ts';

export const RUNNING_REMEDY =
  'Shut it down or power it off first, or copy a powered-off clone or template of it; a copy never does this by itself.';

/** Devices that do not leave by their type, and what people call them. */
const PASSED_THROUGH: Record<string, string> = {
  VirtualPCIPassthrough: 'PCI passthrough device',
  VirtualUSB: 'USB device',
  VirtualNVDIMM: 'NVDIMM',
};
const OTHERS: Record<string, string> = {
  VirtualSerialPort: 'serial port',
  VirtualParallelPort: 'parallel port',
  VirtualSoundCard: 'sound card',
  VirtualHdAudioCard: 'sound card',
  VirtualPrecisionClock: 'precision clock',
  VirtualWDT: 'watchdog timer',
};
const IMAGES: Record<string, string> = {
  VirtualCdromIsoBackingInfo: 'CD/DVD image',
  VirtualFloppyImageBackingInfo: 'floppy image',
};

/** What stands against an export, or is lost by it, one check per matter; docs/checks.md has the names. */
export function exportChecks(source: SourcePackage): Check[] {
  return [powerCheck(source), ...source.machines.flatMap((machine) => partChecks(machine))];
}

export function isRunning(machine: SourceMachine): boolean {
  return machine.powerState !== 'poweredOff';
}

function powerCheck(source: SourcePackage): Check {
  const running = source.machines.filter(isRunning);
  if (running.length === 0) {
    return { name: 'machine-powered-off', outcome: 'pass', found: `"${source.description.name}" is powered off.` };
  }
  const states = running.map(
    (machine) => `"${machine.name}" is ${machine.powerState === 'suspended' ? 'suspended' : 'powered on'}`,
  );
  return { name: 'machine-powered-off', outcome: 'fail', found: `${states.join(', ')}.`, remedy: RUNNING_REMEDY };
}

function partChecks(machine: SourceMachine): Check[] {
  const { name, config } = machine;
  const devices = childrenOf(
    config.children.find((item) => item.name === 'hardware'),
    'device',
  );
  const warn = (check: string, found: string, remedy: string): Check => ({
    name: check,
    outcome: 'warn',
    found,
    remedy,
  });
  const named = (words: Record<string, string>) => [
    ...new Set(devices.map(({ type = '' }) => words[type]).filter((word) => word !== undefined)),
  ];
  const checks = diskChecks(machine, devices);
  const anew = 'Attach them anew at the destination if they are needed.';
  const passedThrough = named(PASSED_THROUGH);
  if (passedThrough.length > 0) {
    checks.push(warn('usb-pci', `Bound to its host and not carried of "${name}": ${passedThrough.join(', ')}.`, anew));
  }
  const others = named(OTHERS);
  if (others.length > 0) checks.push(warn('devices', `Not carried of "${name}": ${others.join(', ')}.`, anew));
  const images = devices
    .flatMap((device) => childrenOf(device, 'backing'))
    .filter(({ type = '' }) => IMAGES[type] !== undefined)
    .map((backing) => `${IMAGES[backing.type ?? '']} ${textOf(backing, 'fileName') ?? ''}`.trim());
  if (images.length > 0) {
    const found = `Attached to "${name}" and not carried: ${images.join(', ')}. The drive arrives empty.`;
    checks.push(warn('attached-images', found, 'Copy the image by itself if it is needed, and attach it there.'));
  }
  if (devices.some(({ type }) => type === 'VirtualTPM')) {
    const found = `"${name}" has a virtual TPM, whose keys stay behind: a disk that BitLocker or LUKS unlocks by it asks for the recovery key.`;
    const remedy =
      'Have the recovery key at hand, or suspend BitLocker before the copy; give the copy a new virtual TPM.';
    checks.push(warn('vtpm', found, remedy));
  }
  if (machine.hasSnapshots) {
    const found = `"${name}" has snapshots; its present state is carried as one disk each, the snapshots are not.`;
    checks.push(warn('snapshots', found, 'Nothing, unless they are needed at the destination.'));
  }
  if (textOf(config, 'firmware') === 'efi') {
    const found = `"${name}" starts by EFI; its boot variables (NVRAM) are made anew at the destination.`;
    checks.push(warn('nvram', found, 'If it does not start, choose the boot file by hand once.'));
  }
  if (flagOf(config, 'changeTrackingEnabled')) {
    const found = `Changed block tracking of "${name}" is not carried.`;
    checks.push(warn('change-tracking', found, 'Backup products switch it on again.'));
  }
  if (machine.toolsStatus === 'toolsNotInstalled' && isRunning(machine)) {
    const found = `"${name}" runs without VMware Tools: it can be powered off, but not shut down cleanly.`;
    checks.push(warn('tools', found, 'Shut it down inside the guest, or install the Tools first.'));
  }
  if (extraConfigOf(config).has('tools.deployPkg.fileName')) {
    const found = `"${name}" waits for a guest customization, which is not carried.`;
    checks.push(warn('guest-customization', found, 'Start it once where it is, or customize the copy by hand.'));
  }
  if (machine.attributes.length > 0) {
    const found = `Custom attributes of "${name}" are not carried: ${machine.attributes.join(', ')}.`;
    checks.push(warn('metadata', found, 'Set them again at the destination if something depends on them.'));
  }
  return checks;
}
