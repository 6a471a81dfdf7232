import type { Check } from '../../model/check.ts';
import { isDisk } from './devices.ts';
import { childrenOf, flagOf, textOf } from './element.ts';
import type { SourceMachine, SourcePackage } from './package.ts';

export const RUNNING_REMEDY =
  'Shut it down or power it off first, or copy a powered-off clone or template of it; a copy never does this by itself.';

/** Device types that do not leave, and what people call them. */
const LEFT_BEHIND: Record<string, string> = {
  VirtualPCIPassthrough: 'PCI passthrough device',
  VirtualTPM: 'virtual TPM',
  VirtualUSB: 'USB device',
  VirtualSerialPort: 'serial port',
  VirtualParallelPort: 'parallel port',
  VirtualSoundCard: 'sound card',
  VirtualHdAudioCard: 'sound card',
  VirtualPrecisionClock: 'precision clock',
  VirtualWDT: 'watchdog timer',
  VirtualNVDIMM: 'NVDIMM',
};

/** What stands against an export, or is lost by it, one check per matter. */
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

function partChecks({ name, config, hasSnapshots }: SourceMachine): Check[] {
  const checks: Check[] = [];
  const devices = childrenOf(
    config.children.find((item) => item.name === 'hardware'),
    'device',
  );
  for (const disk of devices.filter(isDisk)) {
    const label = textOf(disk, 'deviceInfo', 'label') ?? 'a disk';
    const backing = disk.children.find((item) => item.name === 'backing');
    if (backing?.type?.includes('RawDiskMapping') && textOf(backing, 'compatibilityMode') === 'physicalMode') {
      checks.push({
        name: 'disk-carried',
        outcome: 'fail',
        found: `"${label}" of "${name}" is a raw device in physical mode, which cannot be read.`,
        remedy: 'Change it to virtual mode, or detach it.',
      });
    }
  }
  if (config.children.some((item) => item.name === 'keyId')) {
    checks.push({
      name: 'disk-carried',
      outcome: 'fail',
      found: `"${name}" is encrypted; vSphere does not let it out.`,
      remedy: 'Decrypt it in vSphere first.',
    });
  }
  const left = [
    ...new Set(devices.map((device) => LEFT_BEHIND[device.type ?? '']).filter((item) => item !== undefined)),
  ];
  if (devices.some((device) => device.type === 'VirtualCdrom' && device.children.some(isImageBacking))) {
    left.push('CD/DVD image');
  }
  if (left.length > 0) {
    checks.push({
      name: 'parts-carried',
      outcome: 'warn',
      found: `Not carried of "${name}": ${left.join(', ')}.`,
      remedy: 'Attach them anew at the destination if they are needed.',
    });
  }
  if (hasSnapshots) {
    checks.push({
      name: 'snapshots',
      outcome: 'warn',
      found: `"${name}" has snapshots; its present state is carried, the snapshots are not.`,
      remedy: 'Nothing, unless they are needed at the destination.',
    });
  }
  if (textOf(config, 'firmware') === 'efi') {
    checks.push({
      name: 'efi-variables',
      outcome: 'warn',
      found: `"${name}" starts by EFI; its boot variables (NVRAM) are made anew at the destination.`,
      remedy: 'If it does not start, choose the boot file by hand once.',
    });
  }
  if (flagOf(config, 'changeTrackingEnabled')) {
    checks.push({
      name: 'change-tracking',
      outcome: 'warn',
      found: `Changed block tracking of "${name}" is not carried.`,
      remedy: 'Backup products switch it on again.',
    });
  }
  return checks;
}

function isImageBacking(item: { name: string; type: string | undefined }): boolean {
  return item.name === 'backing' && item.type === 'VirtualCdromIsoBackingInfo';
}
