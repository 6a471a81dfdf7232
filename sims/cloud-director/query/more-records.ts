import { mayUse, type View } from '../call.ts';
import type { FenceMode } from '../entities.ts';
import { prefixLength } from '../ovf/write.ts';
import { hrefTo, type QueryRow, row, seen, userName } from './records.ts';

const linkTypes: Readonly<Record<FenceMode, number>> = { bridged: 0, natRouted: 1, isolated: 2 };
const objectTypes: Readonly<Record<string, string>> = { vapp: 'vApp', template: 'vAppTemplate' };

export function networkRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('network')).map((network) =>
    row(view, 'network', network, {
      vdc: hrefTo(view, 'vdc', network.vdc),
      vdcName: store.get('vdc', network.vdc)?.name,
      org: hrefTo(view, 'org', network.org),
      defaultGateway: network.scope.gateway,
      netmask: network.scope.netmask,
      subnetPrefixLength: prefixLength(network.scope.netmask),
      dns1: network.scope.dns1,
      dns2: network.scope.dns2,
      dnsSuffix: network.scope.dnsSuffix,
      linkType: linkTypes[network.fence],
      connectedTo: network.fence === 'natRouted' ? 'edge1' : undefined,
      isShared: network.shared,
      isBusy: false,
      isIpScopeInherited: false,
      description: network.description,
    }),
  );
}

export function taskRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('task'))
    .reverse()
    .map((task) => ({
      ...row(view, 'task', task, {
        org: hrefTo(view, 'org', task.org),
        orgName: store.get('org', task.org)?.name,
        operationFull: task.operation,
        message: task.error?.message,
        startDate: task.started,
        endDate: task.ended ?? undefined,
        status: task.status,
        progress: task.progress,
        ownerName: userName(view, task.user),
        object: hrefTo(view, task.owner.kind, task.owner.id),
        objectType: objectTypes[task.owner.kind] ?? task.owner.kind,
        objectName: task.owner.name,
        serviceNamespace: 'com.vmware.vcloud',
      }),
      name: task.operationName,
    }));
}

/** The networks inside vApps; the place-holder `none` is not one of them. */
export function vappNetworkRows(view: View): QueryRow[] {
  return view.sim.store
    .all('vapp')
    .filter((vapp) => mayUse(view, vapp.org))
    .flatMap((vapp) =>
      vapp.networks.map((network): QueryRow => {
        const parent = network.parent === null ? undefined : view.sim.store.get('network', network.parent);
        return {
          kind: 'vappNetwork',
          id: network.id,
          href: view.href(`/api/network/${network.id}`),
          name: network.name,
          metadata: [],
          values: {
            vApp: hrefTo(view, 'vapp', vapp.id),
            vAppName: vapp.name,
            vdc: hrefTo(view, 'vdc', vapp.vdc),
            org: hrefTo(view, 'org', vapp.org),
            gateway: network.scope.gateway,
            netmask: network.scope.netmask,
            subnetPrefixLength: prefixLength(network.scope.netmask),
            dns1: network.scope.dns1,
            dns2: network.scope.dns2,
            dnsSuffix: network.scope.dnsSuffix,
            linkNetworkName: parent?.name,
            isLinked: parent !== undefined,
            isBusy: false,
            ipScopeInherited: network.scope.inherited,
            linkType: linkTypes[network.fence],
          },
        };
      }),
    );
}
