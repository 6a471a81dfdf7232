import type { Check } from '../../model/check.ts';
import { hrefOf } from './entity.ts';
import { readPeoplesMetadata } from './metadata.ts';
import type { Session } from './session.ts';
import type { Source } from './source.ts';
import { at, child, childrenOf, textAt, type XmlElement } from './xml.ts';

/** What machines of a vApp or template have that does not leave with them, one check per matter. */
export async function machineChecks(session: Session, source: Source, signal: AbortSignal): Promise<Check[]> {
  const { machines } = source;
  const named = (fits: (vm: XmlElement) => boolean) =>
    machines
      .filter(fits)
      .map(({ attributes }) => `"${attributes.name}"`)
      .join(', ');
  const checks: Check[] = [];
  const warn = (name: string, whose: string, found: string, remedy: string) => {
    if (whose !== '') checks.push({ name, outcome: 'warn', found: `${whose} ${found}`, remedy });
  };
  warn(
    'attached-images',
    named(hasMedia),
    'has media inserted, which do not leave; the drive arrives empty.',
    'Copy the media by themselves if they are needed, and insert them there.',
  );
  warn(
    'vtpm',
    named((vm) => textAt(vm, 'TrustedPlatformModule', 'TpmPresent') === 'true'),
    'has a virtual TPM, whose keys stay behind: a disk that BitLocker or LUKS unlocks by it asks for the recovery key.',
    'Have the recovery key at hand, or suspend BitLocker before the copy; give the copy a new virtual TPM.',
  );
  warn(
    'guest-customization',
    named((vm) => textAt(vm, 'GuestCustomizationSection', 'Enabled') === 'true'),
    'is customized by Cloud Director at its start; that is not carried, the guest stays as it is.',
    'Nothing, or set names, addresses and passwords by hand at the destination.',
  );
  const keys = await metadataKeys(session, source, signal);
  warn(
    'metadata',
    keys.length === 0 ? '' : 'Metadata',
    `of it is not carried: ${keys.join(', ')}.`,
    'Set it again at the destination if something depends on it.',
  );
  return checks;
}

function hasMedia(vm: XmlElement): boolean {
  const settings = childrenOf(at(vm, 'VmSpecSection', 'MediaSection'), 'MediaSettings');
  return settings.some((one) => child(one, 'MediaImage') !== undefined || textAt(one, 'MediaState') === 'CONNECTED');
}

/** Keys on the vApp or template and its machines. */
async function metadataKeys(session: Session, source: Source, signal: AbortSignal): Promise<string[]> {
  const holders = source.kind === 'vm' ? source.machines : [source.holder, ...source.machines];
  const keys = new Set<string>();
  for (const holder of holders) {
    for (const key of (await readPeoplesMetadata(session, hrefOf(session, holder), signal)).keys()) keys.add(key);
  }
  return [...keys].toSorted();
}
