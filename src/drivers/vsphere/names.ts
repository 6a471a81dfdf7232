/**
 * vCenter keeps `%`, `/` and `\` in names of inventory objects as `%25`, `%2f` and `%5c`
 * (vSphere Web Services API Reference, ManagedEntity.name).
 */
export function decodeName(name: string): string {
  return name.replace(/%(25|2f|5c)/gi, (_, hex: string) =>
    hex === '25' ? '%' : hex.toLowerCase() === '2f' ? '/' : '\\',
  );
}

export function encodeName(name: string): string {
  return name.replace(/[%/\\]/g, (character) => (character === '%' ? '%25' : character === '/' ? '%2f' : '%5c'));
}

/** Longest name of a virtual machine, in characters as vCenter stores them. */
export const NAME_LIMIT = 80;

/** `<name> [cloudspan <marker>]`, shortened in the name's part so that vCenter takes it. */
export function unfinishedName(name: string, marker: string): string {
  const suffix = ` [cloudspan ${marker}]`;
  const characters = [...name];
  while (characters.length > 0 && encodeName(characters.join('')).length + suffix.length > NAME_LIMIT) characters.pop();
  return `${characters.join('')}${suffix}`;
}

export function carriesMarker(name: string, marker: string): boolean {
  return name.endsWith(`[cloudspan ${marker}]`);
}

/** The marker at the end of an unfinished name. */
export function markerIn(name: string): string | undefined {
  return / \[cloudspan ([0-9a-z-]+)\]$/.exec(name)?.[1];
}
