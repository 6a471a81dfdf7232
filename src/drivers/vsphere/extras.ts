import { child, childrenOf, type Element, flagOf, numberOf, textOf } from './element.ts';
import { groupElement, leafElement } from './soap.ts';

/** Key in a machine's `extraConfig` under which it carries the marker of the job that made it. */
export const MARKER_KEY = 'cloudspan.marker';
/** Key that is set once every disk is in: from then on only names are missing. */
export const COMPLETE_KEY = 'cloudspan.complete';

/** Keys that only Cloudspan writes: in a package they are somebody else's and would tell lies about this job. */
export const OWN_KEY = /^cloudspan\./i;

/** Advanced options that people set and machines depend on. All others are made by the host anew. */
const CARRIED = /^(guestinfo\.|isolation\.|disk\.EnableUUID$|svga\.|hypervisor\.cpuid\.|vhv\.|monitor\.)/i;
/** What VMware Tools write themselves. */
const WRITTEN_BY_TOOLS = /^guestinfo\.(vmtools|detailed|appInfo|driver|toolsInstallErrCode|ip|vmware)/i;

/** Switches that have no field in the model, with the value that a new machine has. */
const SWITCHES = {
  cpuHotAddEnabled: false,
  memoryHotAddEnabled: false,
  cpuHotRemoveEnabled: false,
  nestedHVEnabled: false,
  vPMCEnabled: false,
};
/** Those of ToolsConfigInfo, in the order of the schema. */
const TOOLS_SWITCHES = { afterPowerOn: true, afterResume: true, syncTimeWithHost: false };

export function extraConfigOf(config: Element | undefined): Map<string, string> {
  const values = new Map<string, string>();
  for (const option of childrenOf(config, 'extraConfig')) {
    values.set(textOf(option, 'key') ?? '', textOf(option, 'value') ?? '');
  }
  return values;
}

/** Configuration that has no field in the model, by the vendor's key; only what differs from a new machine. */
export function extrasOf(config: Element): Record<string, string> {
  const extras: Record<string, string> = {};
  for (const [name, normal] of Object.entries(SWITCHES)) {
    const value = flagOf(config, name) ?? normal;
    if (value !== normal) extras[name] = String(value);
  }
  for (const [name, normal] of Object.entries(TOOLS_SWITCHES)) {
    const value = flagOf(config, 'tools', name) ?? normal;
    if (value !== normal) extras[`tools.${name}`] = String(value);
  }
  const bootDelay = numberOf(config, 'bootOptions', 'bootDelay') ?? 0;
  if (bootDelay > 0) extras['bootOptions.bootDelay'] = String(bootDelay);
  if (flagOf(child(config, 'flags'), 'vbsEnabled')) extras['flags.vbsEnabled'] = 'true';
  for (const [key, value] of extraConfigOf(config)) {
    if (CARRIED.test(key) && !WRITTEN_BY_TOOLS.test(key) && value !== '') extras[`extraConfig.${key}`] = value;
  }
  return extras;
}

/** The members of a VirtualMachineConfigSpec that set these extras again. Keys that are not ours are left out. */
export function extrasAsSpec(extras: Record<string, string>): Element[] {
  const members: Element[] = [];
  for (const name of Object.keys(SWITCHES)) {
    if (extras[name] !== undefined) members.push(leafElement(name, extras[name]));
  }
  const tools = Object.keys(TOOLS_SWITCHES).filter((name) => extras[`tools.${name}`] !== undefined);
  if (tools.length > 0) {
    members.push(
      groupElement(
        'tools',
        tools.map((name) => leafElement(name, extras[`tools.${name}`]!)),
      ),
    );
  }
  if (extras['flags.vbsEnabled'] !== undefined) {
    members.push(groupElement('flags', [leafElement('vbsEnabled', extras['flags.vbsEnabled'])]));
  }
  for (const [key, value] of Object.entries(extras)) {
    const name = key.startsWith('extraConfig.') ? key.slice('extraConfig.'.length) : '';
    if (CARRIED.test(name)) members.push(optionValue(name, value));
  }
  return members;
}

/** An OptionValue for `extraConfig`. */
export function optionValue(key: string, value: string): Element {
  return groupElement('extraConfig', [leafElement('key', key), leafElement('value', value, 'xsd:string')]);
}
