import { authorizationManager } from './authorization-manager.ts';
import { autoStartManager } from './auto-start-manager.ts';
import { cluster, computeResource, hostSystem } from './compute-resource.ts';
import { customFieldsManager } from './custom-fields-manager.ts';
import { datastore, distributedSwitch, network, portgroup } from './datastore.ts';
import { datastoreBrowser } from './datastore-browser.ts';
import { fileManager } from './file-manager.ts';
import { datacenterKind, folderKind } from './folder.ts';
import { httpNfcLease } from './http-nfc-lease.ts';
import type { Lab } from './lab.ts';
import { type Kind, kind, type Managed } from './managed.ts';
import { ovfManager } from './ovf-manager/ovf-manager.ts';
import { propertyCollector, propertyFilter } from './property-collector.ts';
import { resourcePool, virtualApp } from './resource-pool.ts';
import { searchIndex } from './search-index.ts';
import { optionManager, serviceInstance } from './service-instance.ts';
import { sessionManager } from './session-manager.ts';
import { virtualMachineSnapshot } from './snapshot.ts';
import { taskKind, taskManager } from './task-manager.ts';
import type { Ref } from './value.ts';
import { containerView, listView, viewManager } from './view-manager.ts';
import { virtualMachine } from './vm-kind.ts';

const environmentBrowser = kind<true>(
  'EnvironmentBrowser',
  (_lab, id) => (id.startsWith('envbrowser-') ? true : undefined),
  {},
);

let kinds: Map<string, Kind> | undefined;

/** Every type of managed object there is; gathered at the first use, since the nouns refer to each other. */
function all(): Map<string, Kind> {
  kinds ??= new Map(
    [
      serviceInstance,
      sessionManager,
      authorizationManager,
      optionManager,
      propertyCollector,
      propertyFilter,
      viewManager,
      containerView,
      listView,
      taskManager,
      taskKind,
      folderKind,
      datacenterKind,
      computeResource,
      cluster,
      hostSystem,
      resourcePool,
      virtualApp,
      datastore,
      network,
      portgroup,
      distributedSwitch,
      virtualMachine,
      virtualMachineSnapshot,
      httpNfcLease,
      ovfManager,
      datastoreBrowser,
      fileManager,
      searchIndex,
      customFieldsManager,
      environmentBrowser,
      autoStartManager,
    ].map((one) => [one.type, one]),
  );
  return kinds;
}

export function openObject(lab: Lab, ref: Ref): Managed | undefined {
  return all().get(ref._ref)?.open(lab, ref.id);
}

/** Opens by id alone where a client named a base type, as `ManagedEntity` or `ResourcePool` for a vApp. */
export function openLoosely(lab: Lab, ref: Ref): Managed | undefined {
  const exact = openObject(lab, ref);
  if (exact) return exact;
  const record = lab.any(ref.id);
  return record && openObject(lab, { _ref: record.type, id: record.id });
}
