import { randomUUID } from 'node:crypto';
import { referred, type View } from './call.ts';
import type { FenceMode, IpScope, Network, NetworkConfig } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { ipScope } from './ovf/write.ts';
import { link, reference } from './references.ts';
import { badRequest } from './refusal.ts';
import { apiPrefixes } from './xml/namespaces.ts';
import { attributeOf, booleanOf, child, childrenOf, path, textOf, toMarkup, type XmlElement } from './xml/tree.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

export const noneNetwork = 'none';

const emptyScope: IpScope = {
  inherited: false,
  gateway: '',
  netmask: '',
  dns1: '',
  dns2: '',
  dnsSuffix: '',
  ranges: [],
};

const isolatedScope: IpScope = { ...emptyScope, gateway: '192.168.254.1', netmask: '255.255.255.0' };

export function readScope(scope: XmlElement | undefined): IpScope {
  const prefix = textOf(scope, 'SubnetPrefixLength');
  return {
    inherited: booleanOf(textOf(scope, 'IsInherited')) ?? false,
    gateway: textOf(scope, 'Gateway') ?? '',
    netmask: textOf(scope, 'Netmask') || (prefix === undefined || prefix === '' ? '' : netmaskOf(Number(prefix))),
    dns1: textOf(scope, 'Dns1') ?? '',
    dns2: textOf(scope, 'Dns2') ?? '',
    dnsSuffix: textOf(scope, 'DnsSuffix') ?? '',
    ranges: childrenOf(child(scope, 'IpRanges'), 'IpRange').map((range) => ({
      start: textOf(range, 'StartAddress') ?? '',
      end: textOf(range, 'EndAddress') ?? '',
    })),
  };
}

function netmaskOf(prefix: number): string {
  const bits = prefix === 0 ? 0 : (0xffff_ffff << (32 - prefix)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
}

function fenceOf(text: string | undefined): FenceMode {
  if (text === 'bridged' || text === 'natRouted' || text === 'isolated') return text;
  throw badRequest(`The fence mode "${text ?? ''}" is unknown.`);
}

function plain(name: string, description: string): NetworkConfig {
  return {
    id: randomUUID(),
    name,
    description,
    fence: 'isolated',
    parent: null,
    scope: isolatedScope,
    retain: false,
    features: null,
  };
}

/** The networks of an imported package: those of its vendor section, and an isolated one for each other OVF network. */
export function readNetworkConfigs(
  section: XmlElement | undefined,
  networks: readonly { name: string; description: string }[],
): NetworkConfig[] {
  const configured = childrenOf(section, 'NetworkConfig').map((config): NetworkConfig => {
    const configuration = child(config, 'Configuration');
    return {
      ...plain(attributeOf(config, 'networkName') ?? '', textOf(config, 'Description') ?? ''),
      fence: 'isolated',
      scope: readScope(path(configuration, 'IpScopes', 'IpScope') ?? child(configuration, 'IpScope')),
      retain: booleanOf(textOf(configuration, 'RetainNetInfoAcrossDeployments')) ?? false,
      features: child(configuration, 'Features') ?? null,
    };
  });
  const known = new Set(configured.map(({ name }) => name));
  return [
    ...configured,
    ...networks.filter(({ name }) => !known.has(name)).map(({ name, description }) => plain(name, description)),
  ].filter(({ name }) => name !== '');
}

/** One NetworkConfig of a vApp as a client sends it; `before` is the network of the same name, which keeps its id. */
function readConfig(view: View, config: XmlElement, before: NetworkConfig | undefined): NetworkConfig {
  const name = attributeOf(config, 'networkName') ?? '';
  if (name === '') throw badRequest('A NetworkConfig has no networkName.');
  const configuration = child(config, 'Configuration');
  const fence = fenceOf(textOf(configuration, 'FenceMode'));
  const parentHref = attributeOf(child(configuration, 'ParentNetwork'), 'href');
  const parent = parentHref === undefined || fence === 'isolated' ? undefined : referred(view, 'network', parentHref);
  if (fence === 'bridged' && parent === undefined && name !== noneNetwork) {
    throw badRequest(`The network "${name}" is bridged but names no parent network.`);
  }
  const given = path(configuration, 'IpScopes', 'IpScope') ?? child(configuration, 'IpScope');
  const scope =
    fence === 'bridged' && parent !== undefined
      ? { ...parent.scope, inherited: true }
      : given === undefined
        ? (before?.scope ?? isolatedScope)
        : readScope(given);
  return {
    id: before?.id ?? randomUUID(),
    name,
    description: textOf(config, 'Description') ?? before?.description ?? '',
    fence,
    parent: parent?.id ?? null,
    scope,
    retain: booleanOf(textOf(configuration, 'RetainNetInfoAcrossDeployments')) ?? false,
    features: child(configuration, 'Features') ?? null,
  };
}

/** Reads a whole NetworkConfigSection; networks that `before` knows by name keep their ids. */
export function readConfigSection(view: View, section: XmlElement, before: readonly NetworkConfig[]): NetworkConfig[] {
  const configs = childrenOf(section, 'NetworkConfig').map((config) =>
    readConfig(
      view,
      config,
      before.find(({ name }) => name === attributeOf(config, 'networkName')),
    ),
  );
  if (new Set(configs.map(({ name }) => name)).size !== configs.length)
    throw badRequest('A vApp network is named twice.');
  return configs;
}

/** The vApp network through which a VM reaches a network of the VDC directly. */
export function bridgedTo(network: Network): NetworkConfig {
  return {
    ...plain(network.name, network.description),
    fence: 'bridged',
    parent: network.id,
    scope: { ...network.scope, inherited: true },
  };
}

const firewall = (): Markup =>
  el('FirewallService', {}, leaf('IsEnabled', false), leaf('DefaultAction', 'drop'), leaf('LogDefaultAction', false));
const nat = (): Markup =>
  el('NatService', {}, leaf('IsEnabled', false), leaf('NatType', 'ipTranslation'), leaf('Policy', 'allowTrafficIn'));

export function configurationMarkup(view: View, config: NetworkConfig): Markup {
  const parent = config.parent === null ? undefined : view.sim.store.get('network', config.parent);
  const features =
    config.features !== null
      ? toMarkup(config.features, apiPrefixes)
      : config.fence === 'natRouted'
        ? el('Features', {}, firewall(), nat())
        : null;
  return el(
    'Configuration',
    {},
    el('IpScopes', {}, ipScope(config.scope, '')),
    parent === undefined ? null : reference(view, 'ParentNetwork', 'network', parent),
    leaf('FenceMode', config.fence),
    leaf('RetainNetInfoAcrossDeployments', config.retain),
    features,
    leaf('GuestVlanAllowed', false),
  );
}

/** The section as vApps and templates show it; `none` appears when a NIC is connected to nothing. */
export function networkConfigSection(
  view: View,
  networks: readonly NetworkConfig[],
  base: string | undefined,
  deployed: boolean,
  withNone: boolean,
  declarations: Record<string, string> = {},
): Markup {
  const shown = networks.map((config) =>
    el(
      'NetworkConfig',
      { networkName: config.name },
      link(view, 'repair', `/api/admin/network/${config.id}/action/reset`),
      leaf('Description', config.description),
      configurationMarkup(view, config),
      leaf('IsDeployed', deployed),
    ),
  );
  const none: NetworkConfig = {
    ...plain(noneNetwork, 'This is a special place-holder used for disconnected network interfaces.'),
    id: '00000000-0000-4000-8000-00000000f0f0',
    scope: { ...emptyScope, gateway: '196.254.254.254', netmask: '255.255.0.0', dns1: '196.254.254.254' },
  };
  const noneConfig = el(
    'NetworkConfig',
    { networkName: noneNetwork },
    link(view, 'repair', `/api/admin/network/${none.id}/action/reset`),
    leaf('Description', none.description),
    configurationMarkup(view, none),
    leaf('IsDeployed', false),
  );
  return el(
    'NetworkConfigSection',
    {
      ...declarations,
      ...(base === undefined ? {} : { href: view.href(`${base}/networkConfigSection/`) }),
      type: mediaTypes.networkConfig,
      'ovf:required': false,
    },
    leaf('ovf:Info', 'The configuration parameters for logical networks'),
    base === undefined ? null : link(view, 'edit', `${base}/networkConfigSection/`, mediaTypes.networkConfig),
    shown,
    withNone && !networks.some(({ name }) => name === noneNetwork) ? noneConfig : null,
  );
}

export function ovfNetworkSection(networks: readonly { name: string; description: string }[]): Markup {
  return el(
    'ovf:NetworkSection',
    {},
    leaf('ovf:Info', 'The list of logical networks'),
    networks.map((network) =>
      el('ovf:Network', { 'ovf:name': network.name }, leaf('ovf:Description', network.description)),
    ),
  );
}
